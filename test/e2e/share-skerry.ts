import { inject } from 'vitest';
import type { SharedSkerry } from './shared-skerries.ts';

/**
 * Where a Skerry answers that files of tests share.
 *
 * @throws Error with what it wrote, when it did not start.
 */
export async function shareSkerry(name: SharedSkerry): Promise<{ readonly url: string }> {
  const answer = await fetch(`http://127.0.0.1:${inject('skerryDoor')}/${name}`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return { url: text };
}
