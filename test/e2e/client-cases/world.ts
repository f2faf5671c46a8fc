import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SkerryClient } from 'skerry/client';
import { type InterruptedLine, openLine } from '../interrupted-line.ts';
import { type Skerry, startSkerry } from '../skerry.ts';

export const DEADLINE = { timeout: 15_000, interval: 20 };

let skerry: Skerry;

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
  skerry = await startSkerry({ env: { SKERRY_WEBHOOK_RETRY_SECONDS: '0.2' } });
  line = await openLine(skerry.url);
  client = new SkerryClient({ url: skerry.url });
  remote = new SkerryClient({ url: line.url });
  folder = await mkdtemp(path.join(tmpdir(), 'skerry-last-good-'));
}

export async function closeWorld(): Promise<void> {
  line?.close();
  await skerry?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
}
