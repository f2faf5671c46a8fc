import { RawContent } from '../../store/content.ts';
import type { Transaction } from '../../store/transaction.ts';
import { collect } from '../collect.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { notFound } from '../not-found.ts';
import { parseJson, readBytes, readContent, VALUE_FLAGS } from '../read-value.ts';
import { contentAsJson, contentAsLine } from '../show-content.ts';
import { UsageError } from '../usage-error.ts';
import { wholeNumber } from '../whole-number.ts';

const REVISION_FLAG = {
  placeholder: 'N',
  isNumber: true,
  summary: 'as the store was at this revision',
} as const;
const IF_REVISION_FLAG = { placeholder: 'N', isNumber: true } as const;

const get = defineCommand({
  name: 'kv get',
  summary: 'Prints what a key holds',
  notes: 'Prints the content as it was put; with --json, the key, its revision and the value.',
  args: ['<store>', '<key>'],
  flags: { revision: REVISION_FLAG },
  examples: ['skerry kv get agent1 config/if/eth0', 'skerry kv get agent1 logo.png > logo.png'],
  async run({ args, flags, client, output, signal }) {
    const entry = await client.store(args.store).get(args.key, { revision: flags.revision, signal });
    if (entry === undefined) throw notFound(`The store "${args.store}" holds no key "${args.key}".`);
    const { value } = entry;
    if (!output.isJson && value instanceof RawContent) output.raw(value.bytes);
    else output.document({ ...entry, value: contentAsJson(value) }, () => JSON.stringify(value, null, 2));
    return undefined;
  },
});

const put = defineCommand({
  name: 'kv put',
  summary: 'Writes a key',
  notes:
    'The value is JSON unless --text or --type says otherwise. Without VALUE and --file it is read from standard input. Writing what stands there already changes nothing.',
  args: ['<store>', '<key>', '[value]'],
  flags: {
    ...VALUE_FLAGS,
    text: { summary: 'store the value as plain text' },
    type: { placeholder: 'TYPE', summary: 'store the value as it is, with this content type' },
    ttl: { placeholder: 'SECONDS', isNumber: true, summary: 'let the key disappear after so long' },
    lease: { placeholder: 'ID', summary: 'let the key disappear with a session lease' },
    ifRevision: {
      ...IF_REVISION_FLAG,
      summary: 'only where the key is at this revision; 0: only where there is none',
    },
  },
  examples: [
    `skerry kv put agent1 config/mtu 1500`,
    `skerry kv put agent1 motd --text 'Hello'`,
    `skerry kv put agent1 config/if/eth0 --file eth0.json --if-revision 12`,
  ],
  async run({ args, flags, client, output, signal, ...context }) {
    if (flags.text && flags.type !== undefined)
      throw new UsageError('--text and --type contradict each other.');
    const type = flags.text ? 'text/plain; charset=utf-8' : flags.type;
    const value = readContent(await readBytes(args.value, flags.file, context), type);
    const { ttl, lease, ifRevision } = flags;
    const facts = await client.store(args.store).put(args.key, value, { ttl, lease, ifRevision, signal });
    output.document(facts, () => `${facts.key} is at revision ${facts.revision}`);
    return undefined;
  },
});

const remove = defineCommand({
  name: 'kv delete',
  summary: 'Deletes a key, or all keys under a prefix',
  notes:
    'A prefix covers whole segments: "a" is "a" and what is below it, "a/" only what is below, and "" the whole store.',
  args: ['<store>', '<key>'],
  flags: {
    prefix: { summary: 'delete all keys under KEY' },
    atomic: { summary: 'with --prefix: refuse to need more than one transaction (49 keys)' },
    ifRevision: { ...IF_REVISION_FLAG, summary: 'only where the key is at this revision' },
  },
  examples: ['skerry kv delete agent1 config/mtu', 'skerry kv delete agent1 config/ --prefix'],
  async run({ args, flags, client, output, signal }) {
    const store = client.store(args.store);
    const { prefix, atomic, ifRevision } = flags;
    if (prefix) {
      if (ifRevision !== undefined)
        throw new UsageError('--if-revision is about one key: leave out --prefix.');
      const answer = await store.deletePrefix(args.key, { ...(atomic && { atomic }), signal });
      const { deleted, batches } = answer;
      const how = answer.atomic ? 'one transaction' : `${batches} transactions`;
      output.document(answer, () => `deleted ${deleted} ${deleted === 1 ? 'key' : 'keys'} in ${how}`);
      return undefined;
    }
    if (atomic) throw new UsageError('--atomic belongs to --prefix.');
    if (args.key === '') throw new UsageError('The key is empty; to delete the whole store, add --prefix.');
    const wasThere = await store.delete(args.key, { ifRevision, signal });
    if (!wasThere) throw notFound(`The store "${args.store}" holds no key "${args.key}".`);
    output.document({ key: args.key, deleted: true }, () => `deleted ${args.key}`);
    return undefined;
  },
});

const list = defineCommand({
  name: 'kv list',
  summary: 'Lists the keys of a store, in their order',
  args: ['<store>', '[prefix]'],
  flags: {
    keys: { summary: 'only the keys, without what they hold' },
    revision: REVISION_FLAG,
    limit: { placeholder: 'N', isNumber: true, summary: 'at most so many; all without' },
  },
  examples: ['skerry kv list agent1 config/', 'skerry kv list agent1 --keys --json'],
  async run({ args, flags, client, output, signal }) {
    const store = client.store(args.store);
    const { revision, limit } = flags;
    const options = { prefix: args.prefix, revision, signal };
    if (flags.keys) {
      const keys = await collect(store.listKeys(options), limit);
      output.document({ items: keys }, () => keys.map(({ key }) => key).join('\n'));
      return undefined;
    }
    const entries = await collect(store.list(options), limit);
    const items = entries.map((entry) => ({ ...entry, value: contentAsJson(entry.value) }));
    output.table({ items }, ['KEY', 'REVISION', 'EXPIRES', 'VALUE'], () =>
      entries.map(({ key, revision, expiresAt, value }) => [key, revision, expiresAt, contentAsLine(value)]),
    );
    return undefined;
  },
});

const transact = defineCommand({
  name: 'kv txn',
  summary: 'Does several operations, all or none, where comparisons hold',
  notes: `Reads the transaction as JSON from a file or standard input:
{"compare": [{"key": …, "revision" | "value" | "exists": …}],
 "then": [{"put": {"key": …, "value": …}} | {"delete": {"key": …}} | {"get": {"key": …}}], "else": […]}
Where a comparison does not hold, "else" is done and the exit code is ${EXIT.conflict}.`,
  args: ['<store>'],
  flags: { file: { placeholder: 'FILE', summary: 'read the transaction from a file; - is standard input' } },
  examples: [
    `echo '{"compare":[{"key":"a","revision":3}],"then":[{"put":{"key":"a","value":1}},{"delete":{"key":"b"}}]}' | skerry kv txn agent1`,
  ],
  async run({ args, flags, client, output, signal, ...context }) {
    const text = (await readBytes(undefined, flags.file, context)).toString('utf8');
    const transaction = parseTransaction(parseJson(text, 'The transaction'));
    const answer = await client.store(args.store).transact(transaction, { signal });
    const results = answer.results.map((result) =>
      'get' in result && result.get !== null
        ? { get: { ...result.get, value: contentAsJson(result.get.value) } }
        : result,
    );
    output.document({ ...answer, results }, () =>
      [
        answer.succeeded
          ? 'the comparisons hold: "then" was done'
          : 'a comparison does not hold: "else" was done',
        ...results.map((result) => JSON.stringify(result)),
        `the store is at revision ${answer.revision}`,
      ].join('\n'),
    );
    return answer.succeeded ? undefined : EXIT.conflict;
  },
});

const compact = defineCommand({
  name: 'kv compact',
  summary: 'Forgets the changes of a store up to a revision; what it holds stays',
  args: ['<store>', '<revision>'],
  flags: {},
  examples: ['skerry kv compact agent1 1200'],
  async run({ args, client, output, signal }) {
    const revision = wholeNumber(args.revision, 'REVISION');
    const answer = await client.store(args.store).compact(revision, { signal });
    output.document(answer, () => `changes up to revision ${answer.compactedTo} are gone`);
    return undefined;
  },
});

const restore = defineCommand({
  name: 'kv restore',
  summary: 'Writes again what a key held at a revision, as a new change',
  notes: 'What did not exist at that revision is left as it is.',
  args: ['<store>', '<key>', '<revision>'],
  flags: { prefix: { summary: 'restore all keys under KEY; "" is the whole store' } },
  examples: ['skerry kv restore agent1 config/mtu 1187', 'skerry kv restore agent1 config/ 1187 --prefix'],
  async run({ args, flags, client, output, signal }) {
    const revision = wholeNumber(args.revision, 'REVISION');
    const key = args.key === '' ? `/kv/${args.store}` : `/kv/${args.store}/${args.key}`;
    const answer = await client.history.restore(key, revision, {
      ...(flags.prefix && { prefix: true }),
      signal,
    });
    output.document(
      answer,
      () => `restored ${answer.restored}, ${answer.unchanged} were as at revision ${revision} already`,
    );
    return undefined;
  },
});

export const kvCommands = [get, put, remove, list, transact, compact, restore];

/** How the transaction of a user, who writes it as it goes over the wire, is called in the client. */
const BRANCHES: ReadonlyMap<string, keyof Transaction> = new Map([
  ['compare', 'compare'],
  ['then', 'success'],
  ['else', 'failure'],
]);

/** Only its outline: Skerry checks the rest, and says what is wrong with it. */
function parseTransaction(json: unknown): Transaction {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new UsageError('The transaction must be an object with "compare", "then" and "else".');
  }
  const branches = Object.entries(json).map(([name, value]) => {
    const branch = BRANCHES.get(name);
    if (branch === undefined) {
      throw new UsageError(`The transaction holds "${name}"; it may hold "compare", "then" and "else".`);
    }
    if (!Array.isArray(value) || !value.every((item) => typeof item === 'object' && item !== null)) {
      throw new UsageError(`"${name}" of the transaction must be an array of objects.`);
    }
    return [branch, value];
  });
  return Object.fromEntries(branches);
}
