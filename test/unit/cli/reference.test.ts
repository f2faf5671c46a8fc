import { readFileSync } from 'node:fs';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { COMMANDS } from '../../../client/cli/commands/index.ts';
import { runCommandLine } from '../../../client/cli/run-command-line.ts';

const PAGE = path.resolve(import.meta.dirname, '../../../docs/cli.md');
const HEADING = '\n## Commands\n';

async function helpOf(name: string): Promise<string> {
  const out = new PassThrough();
  const surroundings = {
    env: {},
    folder: '/',
    input: Readable.from([]),
    out,
    err: out,
    signal: new AbortController().signal,
  };
  await runCommandLine([...name.split(' '), '--help'], surroundings);
  out.end();
  // The same for all commands, and told once above.
  return (await text(out))
    .replace(/Flags of all commands:\n(.+\n)+\n/, '')
    .replace(/ +--help +show this\n/, '')
    .replace(/Flags:\n\n/, '');
}

it('docs/cli.md ends with the help of every command (vitest -u writes it)', async () => {
  const [written = ''] = readFileSync(PAGE, 'utf8').split(HEADING);
  const sections = await Promise.all(
    COMMANDS.map(
      async ({ name }) =>
        `\n### \`skerry ${name}\`\n\n\`\`\`text\n${(await helpOf(name)).trimEnd()}\n\`\`\`\n`,
    ),
  );
  await expect(`${written}${HEADING}${sections.join('')}`).toMatchFileSnapshot(PAGE);
});
