import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type RetryOptions, ServiceBusClient } from '@azure/service-bus';

interface StartOptions {
  /** 0 takes any free one. */
  readonly port?: number;
  /** In blocks of 512 bytes: what goes beyond cannot be written. */
  readonly largestFile?: number;
}

/** The emulator in a process of its own and on a folder that outlives it. */
export class KillableEmulator {
  readonly #dataFolder: string;
  #process: ChildProcess | undefined;
  #connectionString = '';
  readonly #clients: ServiceBusClient[] = [];

  private constructor(dataFolder: string) {
    this.#dataFolder = dataFolder;
  }

  static async create(): Promise<KillableEmulator> {
    return new KillableEmulator(await mkdtemp(join(tmpdir(), 'service-bus-test-')));
  }

  /** Kills it if it runs, starts it, and connects to it. */
  async restart(options: StartOptions = {}): Promise<ServiceBusClient> {
    await this.kill();
    await this.start(options);
    return this.connect();
  }

  async start({ port = 0, largestFile }: StartOptions = {}): Promise<void> {
    const script = join(import.meta.dirname, 'emulator-process.ts');
    const command = `ulimit -f ${largestFile ?? 'unlimited'} && exec "$0" "$@"`;
    const child = spawn('sh', ['-c', command, process.execPath, script, this.#dataFolder, String(port)], {
      // Why it ends is no news where it is made to.
      stdio: ['ignore', 'pipe', largestFile === undefined ? 'inherit' : 'ignore'],
    });
    this.#process = child;
    const [connectionString] = await once(createInterface(child.stdout), 'line');
    this.#connectionString = String(connectionString);
  }

  get port(): number {
    return Number(/:(\d+);/.exec(this.#connectionString)?.[1]);
  }

  /** A client that never tries again, unless it is told to. */
  connect(retryOptions: RetryOptions = { maxRetries: 0, timeoutInMs: 1_000 }): ServiceBusClient {
    const client = new ServiceBusClient(this.#connectionString, { retryOptions });
    this.#clients.push(client);
    return client;
  }

  /** Ends the process with `kill -9`, while its clients are at work. */
  async killProcess(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.exited();
  }

  async exited(): Promise<void> {
    const child = this.#process;
    if (child !== undefined && child.exitCode === null && child.signalCode === null)
      await once(child, 'exit');
  }

  async kill(): Promise<void> {
    await this.killProcess();
    // What the SDK still waits for when its connection has gone may take it a minute to give up.
    for (const client of this.#clients.splice(0)) void client.close();
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.#dataFolder, { recursive: true, force: true });
  }
}
