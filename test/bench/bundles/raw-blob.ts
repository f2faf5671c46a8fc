import { BlobSASPermissions, BlobServiceClient, type BlockBlobClient } from '@azure/storage-blob';
import { type Agent, request } from 'undici';

const CONTAINER = 'bench';
const HOUR = 3_600_000;

/** Azurite as Skerry has it, asked for whole blobs and for ranges: by the SDK, and by plain HTTP to a signed URL. */
export class RawBlob {
  readonly #service: BlobServiceClient;
  readonly #agent: Agent;

  private constructor(service: BlobServiceClient, agent: Agent) {
    this.#service = service;
    this.#agent = agent;
  }

  static async open(connectionString: string, agent: Agent): Promise<RawBlob> {
    const service = BlobServiceClient.fromConnectionString(connectionString);
    await service.getContainerClient(CONTAINER).createIfNotExists();
    return new RawBlob(service, agent);
  }

  async blob(name: string): Promise<SignedBlob> {
    const client = this.#service.getContainerClient(CONTAINER).getBlockBlobClient(name);
    const url = await client.generateSasUrl({
      permissions: BlobSASPermissions.from({ read: true, create: true, write: true }),
      expiresOn: new Date(Date.now() + HOUR),
    });
    return new SignedBlob(client, url, this.#agent);
  }
}

export class SignedBlob {
  readonly client: BlockBlobClient;
  readonly #url: string;
  readonly #agent: Agent;

  constructor(client: BlockBlobClient, url: string, agent: Agent) {
    this.client = client;
    this.#url = url;
    this.#agent = agent;
  }

  async uploadBySdk(bytes: Uint8Array): Promise<void> {
    await this.client.upload(bytes, bytes.byteLength);
  }

  async uploadByHttp(bytes: Uint8Array): Promise<void> {
    const headers = { 'x-ms-blob-type': 'BlockBlob' };
    await this.#ask('PUT', headers, bytes, 201);
  }

  /** All of it, or so many bytes from a place. */
  async downloadBySdk(offset = 0, count?: number): Promise<Buffer> {
    return await this.client.downloadToBuffer(offset, count);
  }

  async downloadByHttp(offset?: number, count = 0): Promise<Buffer> {
    return offset === undefined
      ? await this.#ask('GET', {}, null, 200)
      : await this.#ask('GET', { range: `bytes=${offset}-${offset + count - 1}` }, null, 206);
  }

  async #ask(
    method: 'GET' | 'PUT',
    headers: Readonly<Record<string, string>>,
    body: Uint8Array | null,
    expected: number,
  ): Promise<Buffer> {
    const answer = await request(this.#url, { method, headers, body, dispatcher: this.#agent });
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    if (answer.statusCode !== expected) throw new Error(`Azurite answered ${answer.statusCode}: ${bytes}`);
    return bytes;
  }
}
