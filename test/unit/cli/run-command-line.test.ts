import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { defineCommand } from '../../../client/cli/command.ts';
import { COMMANDS } from '../../../client/cli/commands/index.ts';
import { EXIT } from '../../../client/cli/exit-code.ts';
import { runCommandLine } from '../../../client/cli/run-command-line.ts';
import { SkerryProblem, SkerryUncertain, SkerryUnreachable } from '../../../client/index.ts';

const echo = defineCommand({
  name: 'echo words',
  summary: 'Tells what it was given',
  notes: 'Nothing else.',
  args: ['<first>', '[others...]'],
  flags: {
    count: { placeholder: 'N', isNumber: true, summary: 'how many' },
    colour: { placeholder: 'COLOUR', choices: ['red', 'blue'], isRepeatable: true, summary: 'which' },
    isLoud: { summary: 'loud' },
  },
  examples: ['skerry echo words a'],
  async run({ args, flags: { count, colour, isLoud }, output }) {
    output.document({ args, count, colour, isLoud }, () => `first ${args.first}`);
    return undefined;
  },
});

function failing(error: unknown) {
  return defineCommand({
    name: 'fail',
    summary: 'Fails',
    args: [],
    flags: {},
    examples: ['skerry fail'],
    run: async () => {
      throw error;
    },
  });
}

async function run(words: readonly string[], commands = [echo], signal = new AbortController().signal) {
  const out = new PassThrough();
  const err = new PassThrough();
  const env = { SKERRY_TOKEN: 'a-secret-token', HOME: '/nowhere' };
  const input = Readable.from([]);
  const code = await runCommandLine(words, { env, folder: '/', input, out, err, signal }, commands);
  out.end();
  err.end();
  return { code, out: await text(out), err: await text(err) };
}

describe('a command line', () => {
  it('hands on arguments and flags as they were declared, wherever they stand', async () => {
    const words = 'echo --json words one --count 3 two --colour red three --colour blue --is-loud'.split(' ');
    const { code, out } = await run(words);
    expect(code).toBe(EXIT.ok);
    expect(JSON.parse(out)).toEqual({
      args: { first: 'one', others: ['two', 'three'] },
      count: 3,
      colour: ['red', 'blue'],
      isLoud: true,
    });
  });

  it('shows people a text, and takes what begins with a dash after --', async () => {
    expect(await run(['echo', 'words', '--', '--first'])).toEqual({
      code: EXIT.ok,
      out: 'first --first\n',
      err: '',
    });
  });

  it.each([
    ['an unknown command', ['ecko', 'words'], 'unknown command "ecko"\n(Did you mean echo?)'],
    ['an unknown command of a group', ['echo', 'word'], 'unknown command "word"\n(Did you mean words?)'],
    [
      'an unknown flag',
      ['echo', 'words', 'a', '--cuont', '3'],
      'unknown option "--cuont"\n(Did you mean --count?)',
    ],
    ['a missing argument', ['echo', 'words'], 'missing required argument "first"'],
    ['a flag without its value', ['echo', 'words', 'a', '--count'], 'argument missing'],
    ['something else than a number', ['echo', 'words', 'a', '--count', '-3'], 'whole number, 0 or more'],
    ['something else than a choice', ['echo', 'words', 'a', '--colour', 'green'], 'one of red, blue'],
    [
      'a server that is no URL',
      ['echo', 'words', 'a', '--server', 'nowhere'],
      'must be a URL such as http://',
    ],
  ])('refuses %s, and says what there is', async (_, words, message) => {
    const shown = await run(words);
    expect(shown).toMatchObject({ code: EXIT.usage, out: '' });
    expect(shown.err).toContain(message);
    expect(shown.err).toMatch(/^skerry: /);
    const { code, err } = await run([...words, '--json']);
    expect(code).toBe(EXIT.usage);
    expect(JSON.parse(err)).toMatchObject({ title: 'UsageError', detail: expect.stringContaining(message) });
  });

  it('shows the help where it is asked for, and instead of a command where none is named', async () => {
    const help = await run(['echo', 'words', '--help']);
    expect(help).toMatchObject({ code: EXIT.ok, err: '' });
    for (const part of [
      'Tells what it was given',
      'Nothing else.',
      '--colour <COLOUR>',
      'skerry echo words a',
      '--server',
    ]) {
      expect(help.out).toContain(part);
    }
    const none = await run(['echo']);
    expect(none).toMatchObject({ code: EXIT.usage, out: '' });
    expect(none.err).toContain('words <first> [others...]');
    expect((await run(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each([
    [404, EXIT.notFound],
    [409, EXIT.conflict],
    [412, EXIT.conflict],
    [422, EXIT.failed],
    [401, EXIT.failed],
    [410, EXIT.failed],
    [429, EXIT.unreachable],
    [503, EXIT.unreachable],
  ])('tells a script by its exit code that Skerry answered %i', async (status, code) => {
    const body = {
      type: 'https://skerry.dev/problems/some-kind',
      title: 'T',
      status,
      detail: 'It is so.',
      field: 'ttl',
      fix: 'Do that.',
      requestId: 'r1',
      leader: 'x',
    };
    expect(await run(['fail'], [failing(new SkerryProblem(body))])).toEqual({
      code,
      out: '',
      err: 'skerry: It is so. (ttl)\n  Do that.\n  request r1\n',
    });
    const { err } = await run(['fail', '--json'], [failing(new SkerryProblem(body))]);
    expect(JSON.parse(err)).toEqual(body);
  });

  it('tells people all faults of what was refused, and which file it is in', async () => {
    const faults = [
      { field: 'a', detail: 'It is so.', fix: 'Do that.' },
      { field: 'b', detail: 'That too.', fix: 'Do this.' },
    ];
    const body = {
      type: 'about:blank',
      title: 'It breaks rules',
      status: 422,
      ...faults[0],
      detail: 'It is so.',
    };
    const refused = new SkerryProblem({ ...body, faults, file: 'templates/a.yaml', requestId: 'r1' });
    expect((await run(['fail'], [failing(refused)])).err).toBe(
      'skerry: templates/a.yaml: It breaks rules:\n- It is so. (a)\n  Do that.\n- That too. (b)\n  Do this.\n  request r1\n',
    );
  });

  it('tells by its exit code that there was no clear answer, or that something failed here', async () => {
    expect((await run(['fail'], [failing(new SkerryUnreachable('far'))])).code).toBe(EXIT.unreachable);
    expect((await run(['fail'], [failing(new SkerryUncertain('lost'))])).code).toBe(EXIT.unreachable);
    expect(await run(['fail'], [failing(new Error('odd'))])).toEqual({
      code: EXIT.failed,
      out: '',
      err: 'skerry: odd\n',
    });
  });

  it('ends without a word when it is interrupted', async () => {
    const signal = AbortSignal.abort(new Error('interrupted'));
    expect(await run(['fail'], [failing(signal.reason)], signal)).toEqual({
      code: EXIT.interrupted,
      out: '',
      err: '',
    });
  });

  it('never shows the token', async () => {
    const shown = await Promise.all([
      run(['echo', 'words', '--help']),
      run(['echo', 'words', 'a', '--json']),
      run(['fail'], [failing(new Error('odd'))]),
    ]);
    expect(JSON.stringify(shown)).not.toContain('a-secret-token');
  });
});

const OF_ALL_COMMANDS = ['--server', 'http://a', '--token', 'a', '--timeout', '3', '--json'];
const spelled = (flag: string) => `--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

describe('every command', () => {
  it.each(COMMANDS.map((command) => [command.name, command] as const))(
    '%s has an example that it understands',
    async (name, command) => {
      for (const example of command.examples) {
        const [, words = ''] = example.split(/(?:^|\| )skerry /);
        // As a shell would, as far as the examples need it.
        const plain = [...words.replace(/ [|>] .*$/, '').matchAll(/'([^']*)'|(\S+)/g)].map(
          ([, quoted, bare]) => quoted ?? bare ?? '',
        );
        expect(plain.join(' ')).toMatch(new RegExp(`^${name} ?`));
        const given: string[][] = [];
        const dry = {
          ...command,
          run: async ({ flags }: { flags: object }) => void given.push(Object.keys(flags)) as undefined,
        };
        expect(await run([...plain, ...OF_ALL_COMMANDS], [dry]), example).toMatchObject({
          code: EXIT.ok,
          err: '',
        });
        const declared = Object.keys(command.flags).filter((flag) => plain.includes(spelled(flag)));
        expect(given.map((flags) => flags.toSorted())).toEqual([declared.toSorted()]);
      }
      expect(command.examples.length).toBeGreaterThan(0);
    },
  );
});
