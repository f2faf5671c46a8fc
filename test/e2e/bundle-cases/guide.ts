import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { runCommandLine } from '../../../client/cli/run-command-line.ts';
import { readGuide } from '../guide.ts';

/** The blocks of docs/bundles.md, one after the other, as a reader would run them. */
export function guideCases(url: () => string): void {
  it('the guide to bundles does what it says', async () => {
    const guide = await readGuide('bundles.md');
    const folder = await mkdtemp(path.join(tmpdir(), 'skerry-bundles-guide-'));
    const told: string[] = [];
    try {
      for (const step of guide.blocks('sh').flatMap(stepsOf)) {
        told.push(await (isCommand(step) ? runHere(step, folder, url()) : runInShell(step, folder, url())));
      }
      for (const promised of ['"unchanged":true', 'port: 9090', 'version 1 of template-creation has that']) {
        expect(told.join('\n')).toContain(promised);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

const isCommand = (step: string) => step.startsWith('npx skerry ');

/** Lines of the shell that follow each other share its variables; the build is there already. */
function stepsOf(block: string): readonly string[] {
  const steps: string[] = [];
  for (const line of block.trim().split('\n')) {
    if (line.startsWith('npm ')) continue;
    const last = steps.at(-1);
    if (isCommand(line) || last === undefined || isCommand(last)) steps.push(line);
    else steps[steps.length - 1] = `${last}\n${line}`;
  }
  return steps;
}

/** Runs a line of the command line without a process. */
async function runHere(line: string, folder: string, url: string): Promise<string> {
  const words = Array.from(line.matchAll(/'([^']*)'|\S+/g), ([word, quoted]) => quoted ?? word).slice(2);
  const out = new PassThrough();
  const said = text(out);
  const env = { HOME: folder, SKERRY_URL: url };
  const input = Readable.from([]);
  const { signal } = new AbortController();
  const code = await runCommandLine(words, { env, folder, input, out, err: out, signal });
  out.end();
  expect([line, code, await said]).toEqual([line, 0, expect.anything()]);
  return await said;
}

/** Where any answer is an error, it fails. */
async function runInShell(lines: string, folder: string, url: string): Promise<string> {
  const script = `set -e\ncurl() { command curl -sS --fail-with-body "$@"; }\n${lines}`;
  const child = spawn(script.replaceAll('http://127.0.0.1:7071', url), {
    shell: true,
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  expect([lines, child.exitCode, said]).toEqual([lines, 0, expect.anything()]);
  return said;
}
