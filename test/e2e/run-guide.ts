import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import { runInProcess } from './command-line.ts';
import { readGuide } from './guide.ts';

/** Runs the blocks of a page of the documentation, one after the other, as a reader would. @returns all that was told. */
export async function runGuide(file: string, url: string): Promise<string> {
  const guide = await readGuide(file);
  const folder = await mkdtemp(path.join(tmpdir(), 'skerry-guide-'));
  const told: string[] = [];
  try {
    for (const step of guide.blocks('sh').flatMap(stepsOf)) {
      told.push(await (isCommand(step) ? runHere(step, folder, url) : runInShell(step, folder, url)));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return told.join('\n');
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
  const { code, out, err } = await runInProcess(words, { url, folder });
  expect([line, code, out + err]).toEqual([line, 0, expect.anything()]);
  return out + err;
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
