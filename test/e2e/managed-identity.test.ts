import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type HookReceiver, startHookReceiver } from './hook-receiver.ts';
import { connect } from './http.ts';
import { type Skerry, startSkerry } from './skerry.ts';

const DEADLINE = { timeout: 20_000, interval: 50 };

interface Draft {
  readonly draft: string;
  readonly upload: { readonly url: string; readonly headers: Readonly<Record<string, string>> };
}

let skerry: Skerry;
let hooks: HookReceiver;

beforeAll(async () => {
  [skerry, hooks] = await Promise.all([startSkerry({ flags: ['--managed-identity'] }), startHookReceiver()]);
});

afterAll(async () => {
  await Promise.all([skerry?.stop(), hooks?.stop()]);
});

it('works as a managed identity from the write to the webhook, over tokens and links that no account key signs', async () => {
  const api = connect(skerry.url);
  expect((await api.get('health/ready')).status).toBe(200);
  const hook = { name: 'told', key: '/app', endpoint: `${hooks.url}/told` };
  expect((await api.post('subscriptions', hook)).status).toBe(201);
  expect((await api.put('apps/shop', { config: 1 })).status).toBe(201);
  await vi.waitFor(() => expect(hooks.received('/told')).toHaveLength(1), DEADLINE);

  const files = new FormData();
  files.append('app.json', new Blob(['{}']), 'app.json');
  const published = await fetch(`${skerry.url}/api/v1/bundles/web/versions`, { method: 'PUT', body: files });
  expect(published.status).toBe(201);
  const archive = await fetch(`${skerry.url}/api/v1/bundles/web/versions/1/archive`);
  const zip = Buffer.from(await archive.arrayBuffer());
  const { draft, upload } = (await api.post('bundles/copy/drafts', {})).body as Draft;
  expect(new URL(upload.url).searchParams.get('skoid')).not.toBeNull();
  expect(await putOverTls(upload, zip)).toBe(201);
  expect((await api.post(`bundles/copy/drafts/${draft}/commit`, {})).status).toBe(201);
  expect((await api.get('bundles/copy/versions/1/files/app.json')).text).toBe('{}');
});

/** @returns the status. */
async function putOverTls({ url, headers }: Draft['upload'], body: Buffer): Promise<number | undefined> {
  const folder = /^ +data +(\S+)/m.exec(skerry.output())?.[1] ?? '';
  const ca = await readFile(path.join(folder, 'identity/certificate.pem'));
  const put = request(url, { method: 'PUT', ca, headers: { ...headers, 'content-length': body.byteLength } });
  put.end(body);
  const [answer] = (await once(put, 'response')) as [IncomingMessage];
  answer.resume();
  return answer.statusCode;
}
