import { invalid } from '../../../shared/platform/errors.ts';
import type { HttpResponse } from '../../../shared/platform/http/index.ts';

/** Nesoi knows no namespaces. */
export const NAMESPACE = 'default';

/** A JSON answer as Nesoi writes it: indented, and members in the order of their names. */
export function nesoiJson(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return {
    status,
    headers: { 'Content-Type': 'application/json', ...headers },
    body: `${JSON.stringify(value, withSortedMembers, 2)}\n`,
  };
}

function withSortedMembers(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return value;
  }
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members);
}

/** A time as Nesoi's README shows it, in UTC: `2011-08-29 11:46:35.739202`. The clock knows milliseconds. */
export function toNesoiTime(timestamp: string): string {
  const [date, time] = new Date(timestamp).toISOString().slice(0, -1).split('T');
  return `${date} ${time}000`;
}

/**
 * The header by which Nesoi points at the hooks of a resource: without the angle brackets of RFC 8288, because clients
 * read it so (Nesoi README, "Introduction").
 *
 * @param resource absolute URL.
 */
export function subscriptionsLink(resource: string): string {
  return `${resource}/web-hooks, rel="Subscriptions"`;
}

/** @throws SkerryError `invalid` when a body names something else than the URL does. */
export function checkBodyName(body: { readonly name: string }, name: string): void {
  if (body.name !== name) {
    throw invalid(`The body is about "${body.name}", the URL about "${name}".`, {
      field: 'name',
      fix: 'Send the same name in both.',
    });
  }
}
