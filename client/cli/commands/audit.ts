import type { AuditEntry } from '../../audit.ts';
import { defineCommand } from '../command.ts';
import { readTime } from '../read-time.ts';

export const auditCommand = defineCommand({
  name: 'audit',
  summary: 'Tells who changed what, who was refused what and who saw secrets, the oldest first',
  notes:
    'KEY is whole, such as /app/shop or /kv/agent1; all keys below it are told of too. TIME is RFC 3339, such as 2026-01-31T08:00:00Z, or how long ago that was (90s, 15m, 6h, 2d). With --json each line is an entry, with values as far as the caller may see them.',
  args: [],
  flags: {
    actor: {
      placeholder: 'ACTOR',
      summary: 'only what they did, were refused or were shown: token:tok_…, user:ID, address:IP',
    },
    key: { placeholder: 'KEY', summary: 'only this key and those below it' },
    since: { placeholder: 'TIME', summary: 'only from this time on' },
    until: { placeholder: 'TIME', summary: 'only before this time' },
    kind: {
      placeholder: 'KIND',
      choices: ['change', 'denial', 'sign-in-failure', 'unlisted', 'reveal'],
      summary: 'only change, denial, sign-in-failure, unlisted (further refusals) or reveal',
    },
    allNamespaces: { summary: 'of all namespaces' },
    limit: { placeholder: 'N', isNumber: true, summary: 'end after so many entries' },
  },
  examples: [
    'skerry audit --since 6h',
    'skerry audit --key /app/shop --actor token:tok_0123456789abcdef',
    'skerry audit --kind denial --all-namespaces --json > denials.ndjson',
  ],
  async run({ flags, client, output, signal }) {
    const { limit = Number.POSITIVE_INFINITY, since, until, ...filter } = flags;
    const entries = client.audit.list({
      ...filter,
      since: since && readTime(since, '--since'),
      until: until && readTime(until, '--until'),
      ...(limit < PAGE && { limit }),
      signal,
    });
    let shown = 0;
    for await (const entry of entries) {
      output.event(entry, () => `${entry.at}  ${whoOf(entry)}  ${whatOf(entry)}`);
      shown += 1;
      if (shown >= limit) break;
    }
    return undefined;
  },
});

/** Entries of the API's largest page. */
const PAGE = 1000;

function whoOf(entry: AuditEntry): string {
  return entry.actor ?? ('address' in entry && entry.address ? `address:${entry.address}` : 'unknown');
}

function whatOf(entry: AuditEntry): string {
  if (entry.kind === 'change') {
    return `${entry.type} ${entry.key} (${entry.ns}, revision ${entry.revision})`;
  }
  const times = entry.count === 1 ? '' : `, ${entry.count} times`;
  const where = `${entry.ns}, ${entry.endpoint}${times}`;
  switch (entry.kind) {
    case 'denial':
      return `was denied to ${entry.verb} ${entry.key} (${where})`;
    case 'reveal':
      return `was shown the secrets of ${entry.key} (${where})`;
    case 'unlisted':
      return `${entry.count} further refusals`;
    default:
      return `did not sign in${entry.isFaulty === true ? ', with credentials that are not accepted' : ''} (${entry.endpoint}${times})`;
  }
}
