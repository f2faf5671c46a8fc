import { inject } from 'vitest';
import { type BlobFixture, openBlob } from './blob-fixture.ts';

/** An account of the Azurite that all files of tests share. */
export async function shareBlob(): Promise<BlobFixture> {
  const answer = await fetch(`http://127.0.0.1:${inject('azuriteDoor')}`);
  const { port, account } = (await answer.json()) as { readonly port: number; readonly account: string };
  return await openBlob(port, account);
}
