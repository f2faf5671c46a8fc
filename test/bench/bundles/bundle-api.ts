import { type Agent, request } from 'undici';

/** The API of one bundle, by plain HTTP. */
export class BundleApi {
  readonly #base: string;
  readonly #agent: Agent;

  constructor(url: string, name: string, agent: Agent) {
    this.#base = `${url}/api/v1/bundles/${name}`;
    this.#agent = agent;
  }

  /** @returns the number of the version. */
  async publish(zip: Uint8Array): Promise<number> {
    return numberOf(await this.ask('PUT', 'versions', zip, 'application/zip'));
  }

  async file(reference: string | number, path: string): Promise<Buffer> {
    return await this.ask('GET', `versions/${reference}/files/${path}`);
  }

  async archive(version: number): Promise<Buffer> {
    return await this.ask('GET', `versions/${version}/archive`);
  }

  /** @returns its id. */
  async beginDraft(): Promise<string> {
    const { draft } = JSON.parse(String(await this.ask('POST', 'drafts'))) as { draft: string };
    return draft;
  }

  /** @returns the number of the version. */
  async commit(draft: string): Promise<number> {
    return numberOf(await this.ask('POST', `drafts/${draft}/commit`));
  }

  /** @throws Error with what was answered, unless it is a success. */
  async ask(
    method: 'GET' | 'HEAD' | 'POST' | 'PUT',
    path: string,
    body: Uint8Array | string | null = null,
    contentType = 'application/json',
  ): Promise<Buffer> {
    const answer = await request(`${this.#base}/${path}`, {
      method,
      headers: body === null ? {} : { 'content-type': contentType },
      body,
      dispatcher: this.#agent,
    });
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    if (answer.statusCode >= 300)
      throw new Error(`${method} ${path} was answered ${answer.statusCode}: ${bytes}`);
    return bytes;
  }
}

function numberOf(body: Buffer): number {
  return (JSON.parse(String(body)) as { version: number }).version;
}
