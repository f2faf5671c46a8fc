import type { PageOptions } from '../config/apps.ts';
import type { Json } from '../store/content.ts';
import { guard, type WriteOptions } from '../transport/guard.ts';
import { type Page, pages } from '../transport/paged.ts';
import { segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';

export type Health = 'passing' | 'draining' | 'expired';

/** What an instance says of itself. */
export interface InstanceInput {
  /** URIs or `host:port`, by name; 1 to 16. */
  readonly endpoints: Readonly<Record<string, string>>;
  /** Seconds within which it sends a heartbeat, 1 to 86,400; it never expires without. */
  readonly ttl?: number;
  readonly tags?: readonly string[];
  readonly zone?: string;
  /** Share of the traffic, 0 to 32,767; 1 unless told, 0 takes none. */
  readonly weight?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  /** `up` unless told. */
  readonly status?: 'up' | 'draining';
  readonly master?: boolean;
  /** Fields of other surfaces; kept when left out. */
  readonly extra?: { readonly [name: string]: Json };
}

export interface Instance extends Omit<InstanceInput, 'status'> {
  readonly id: string;
  readonly health: Health;
  /** When it expires without a further heartbeat, at the earliest; RFC 3339, as the other times. */
  readonly expiresAt?: string;
  readonly tags: readonly string[];
  readonly weight: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface Service {
  readonly name: string;
  /** Of the log that holds its instances. */
  readonly revision: number;
  readonly instances: readonly Instance[];
}

export interface ServiceFilter extends CallOptions {
  readonly passing?: boolean | undefined;
  /** Only instances that have all of them. */
  readonly tags?: readonly string[] | undefined;
  readonly zone?: string | undefined;
}

/** Services and their instances. */
export class Services {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** @returns undefined where nothing was ever registered, or nothing is any more. */
  async get(name: string, { passing, tags, zone, signal }: ServiceFilter = {}): Promise<Service | undefined> {
    const query = { passing: passing === true ? true : undefined, tag: tags, zone };
    return await orUndefined(this.#transport.json<Service>({ path: pathOf(name), query, signal }));
  }

  /** One page of the services, by name. */
  async listPage({ limit, after, signal }: PageOptions = {}): Promise<Page<Service>> {
    return await this.#transport.json<Page<Service>>({ path: 'services', query: { limit, after }, signal });
  }

  /** All services with their instances, by name. */
  list(options: CallOptions = {}): AsyncGenerator<Service, void, undefined> {
    return pages((after) => this.listPage({ ...options, after }));
  }

  /** @returns undefined where there is no such instance. */
  async getInstance(
    service: string,
    id: string,
    { signal }: CallOptions = {},
  ): Promise<Instance | undefined> {
    return await orUndefined(this.#transport.json<Instance>({ path: pathOf(service, id), signal }));
  }

  /** Registers, replaces or revives an instance; registering what stands there already is a heartbeat. */
  async register(
    service: string,
    id: string,
    instance: InstanceInput,
    { ifRevision, signal }: WriteOptions = {},
  ): Promise<Instance> {
    return await this.#transport.json<Instance>({
      method: 'PUT',
      path: pathOf(service, id),
      headers: guard(ifRevision),
      body: instance,
      signal,
    });
  }

  /** @returns false where the instance is unknown or has expired: register it again. */
  async heartbeat(service: string, id: string, { signal }: CallOptions = {}): Promise<boolean> {
    const call = { method: 'PUT', path: `${pathOf(service, id)}/heartbeat`, signal } as const;
    return (await orUndefined(this.#transport.send(call))) !== undefined;
  }

  /** @returns whether it was there. */
  async deregister(service: string, id: string, { ifRevision, signal }: WriteOptions = {}): Promise<boolean> {
    return await this.#transport.remove({ path: pathOf(service, id), headers: guard(ifRevision), signal });
  }
}

function pathOf(service: string, id?: string): string {
  const path = `services/${segment(service)}`;
  return id === undefined ? path : `${path}/instances/${segment(id)}`;
}
