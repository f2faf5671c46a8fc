import { segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';

/** Who leads, and until when at least. */
export interface Grant {
  readonly name: string;
  readonly candidate: string;
  /** The fencing token: each grant's is greater than all before it. */
  readonly token: number;
  /** Seconds. */
  readonly ttl: number;
  /** RFC 3339, by Skerry's clock. */
  readonly expiresAt: string;
}

export interface CampaignRequest extends CallOptions {
  readonly candidate: string;
  /** Seconds within which a leader renews. */
  readonly ttl: number;
  /** Seconds that the call may wait for its turn, 0 to 200. */
  readonly wait?: number | undefined;
}

/** The calls of one election; `campaign()` of the client makes them for you. */
export class Elections {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** @throws SkerryProblem `conflict` where somebody else leads, who stands in `body.leader`. */
  async campaign(name: string, { candidate, ttl, wait = 0, signal }: CampaignRequest): Promise<Grant> {
    return await this.#transport.json<Grant>({
      method: 'POST',
      path: `${pathOf(name)}/campaign`,
      body: { candidate, ttl, wait },
      attemptTimeout: wait * 1000 + 15_000,
      signal,
    });
  }

  /** @returns undefined where the token leads no more. */
  async renew(name: string, token: number, { signal }: CallOptions = {}): Promise<Grant | undefined> {
    const call = { method: 'PUT', path: `${pathOf(name)}/renew`, body: { token }, signal } as const;
    return await orUndefined(this.#transport.json<Grant>(call));
  }

  /** @returns whether the token led until now. */
  async resign(name: string, token: number, { signal }: CallOptions = {}): Promise<boolean> {
    return await this.#transport.remove({ path: pathOf(name), query: { token }, signal });
  }

  /** @returns undefined where nobody leads. */
  async leader(name: string, { signal }: CallOptions = {}): Promise<Grant | undefined> {
    return await orUndefined(this.#transport.json<Grant>({ path: pathOf(name), signal }));
  }
}

function pathOf(name: string): string {
  return `elections/${segment(name)}`;
}
