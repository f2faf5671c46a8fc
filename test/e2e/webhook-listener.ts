import { expect } from 'vitest';
import { type Receiver, startReceiver, toldBy } from '../integration/webhooks/receiver.ts';
import type { HttpClient } from './http.ts';

/** A subscription with an endpoint of its own. */
export interface Listener {
  readonly id: string;
  readonly secret: string;
  readonly publicKey: string;
  readonly receiver: Receiver;
  /** `revision key` of each change that was told, repetitions included, in the order of revisions. */
  heard(): string[];
  deliveries(query?: string): Promise<Delivery[]>;
}

/** A subscription as it is answered with a new signing key. */
export interface Issued {
  readonly id: string;
  readonly secret?: string;
  readonly signing: readonly { readonly publicKey?: string }[];
}

export interface Delivery {
  readonly id: string;
  readonly key: string;
  readonly revision: number;
  readonly state: string;
  readonly attempts: readonly { readonly status?: number; readonly error?: string }[];
}

/** @param said of the subscription, besides its name and endpoint. */
export async function startListener(
  api: HttpClient,
  ns: string,
  said: { readonly key: string; readonly consent?: boolean },
  answer: Receiver['answer'],
): Promise<Listener> {
  const receiver = await startReceiver();
  receiver.answer = answer;
  const created = await api.post(`subscriptions?ns=${ns}`, {
    ...said,
    name: 'listener',
    endpoint: receiver.url,
  });
  expect(created, created.text).toMatchObject({ status: 201 });
  const { id, secret = '', signing } = created.body as Issued;
  return {
    id,
    secret,
    publicKey: signing[0]?.publicKey ?? '',
    receiver,
    heard: () =>
      receiver.calls
        .map(toldBy)
        .sort((one, other) => one.revision - other.revision)
        .map(({ revision, key }) => `${revision} ${key}`),
    async deliveries(query = '') {
      const { body } = await api.get(`subscriptions/${id}/deliveries?ns=${ns}${query}`);
      return (body as { items: Delivery[] }).items;
    },
  };
}
