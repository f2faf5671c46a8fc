import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SkerryClient } from 'skerry/client';
import { type InterruptedLine, openLine } from '../interrupted-line.ts';
import { shareSkerry } from '../share-skerry.ts';

/** The namespace of all cases. */
export const NS = 'client';
export const DEADLINE = { timeout: 45_000, interval: 20 };

let skerry: { readonly url: string };

export let client: SkerryClient;
/** Another client, whose line can be cut. */
export let remote: SkerryClient;
export let line: InterruptedLine;
/** An empty folder. */
export let folder: string;

export function url(): string {
  return skerry.url;
}

export async function openWorld(): Promise<void> {
  skerry = await shareSkerry('swept');
  line = await openLine(skerry.url);
  client = new SkerryClient({ url: skerry.url, ns: NS });
  remote = new SkerryClient({ url: line.url, ns: NS });
  folder = await mkdtemp(path.join(tmpdir(), 'skerry-last-good-'));
}

export async function closeWorld(): Promise<void> {
  line?.close();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
}
