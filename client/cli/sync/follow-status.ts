import type { SkerryClient } from '../../skerry-client.ts';
import { type Content, type Json, writeValue } from '../../store/content.ts';
import { STATUS_PREFIX, type StatusFile } from './status-file.ts';

/** Writes the status of a store's agent into the file, once. */
export async function copyStatus(
  client: SkerryClient,
  store: string,
  file: StatusFile,
  signal: AbortSignal,
): Promise<void> {
  const status = new Map<string, Json>();
  for await (const { key, value } of client.store(store).list({ prefix: STATUS_PREFIX, signal })) {
    status.set(key, writeValue(value));
  }
  await file.set(store, status);
}

/**
 * Keeps the status of a store's agent in the file as it is in the store, until the signal ends it.
 *
 * @throws the signal's reason, or SkerryProblem when Skerry refuses for good.
 */
export async function followStatus(
  client: SkerryClient,
  store: string,
  file: StatusFile,
  { signal, onFault }: { readonly signal: AbortSignal; readonly onFault: (error: unknown) => void },
): Promise<void> {
  const root = `/kv/${store}/`;
  const status = new Map<string, Json>();
  for await (const event of client.watch(root + STATUS_PREFIX, { signal, onFault })) {
    if (event.kind === 'resync') status.clear();
    const news: readonly { readonly key: string; readonly value: Content | null; readonly type?: string }[] =
      event.kind === 'resync' ? event.items : event.changes;
    for (const { key, value, type = 'put' } of news) {
      const inner = key.slice(root.length);
      if (type === 'put' && value !== null) status.set(inner, writeValue(value));
      else status.delete(inner);
    }
    if (event.kind === 'resync' || news.length > 0) await file.set(store, new Map(status)).catch(onFault);
  }
}
