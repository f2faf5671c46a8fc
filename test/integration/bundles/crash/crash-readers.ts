import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { collect } from '../../../../shared/bundles/content/content-chunks.ts';
import { MemoryArchive } from '../../../../shared/bundles/content/memory-archive.ts';
import { readZip } from '../../../../shared/bundles/content/read-zip.ts';
import { BUNDLE_LIMITS, type Version } from '../../../../shared/bundles/index.ts';
import { SkerryError } from '../../../../shared/platform/errors.ts';
import { HOUR } from '../bundle-world.ts';
import type { CrashHistory } from './crash-history.ts';
import type { CrashWorld } from './crash-world.ts';
import { NS } from './crash-writers.ts';
import type { MortalProcess } from './mortal-process.ts';
import { faultIn } from './token-files.ts';

/** Whoever reads a version has it for so long again. */
const PINNED_FOR = 12 * HOUR;
const TRIES = 6;

type Contents = ReadonlyMap<string, Uint8Array>;

interface Pin {
  readonly version: number;
  /** When it was read last, if that pinned it. */
  at: number;
}

/** Resolves a version, whichever way, and reads all of it, file by file or as an archive; and goes on with it while others are published. */
export class CrashReader {
  readonly #world: CrashWorld;
  readonly #history: CrashHistory;
  readonly #name: string;
  readonly #id: number;
  #pin: Pin | undefined;

  constructor(
    world: CrashWorld,
    history: CrashHistory,
    place: { readonly name: string; readonly id: number },
  ) {
    this.#world = world;
    this.#history = history;
    this.#name = place.name;
    this.#id = place.id;
  }

  async read(): Promise<void> {
    const asked = this.#world.clock.now();
    const version = await this.#resolve();
    if (version === undefined) return;
    const pin = { version: version.version, at: this.#pinnedAt(asked) };
    this.#pin = pin;
    const chance = this.#world.random();
    const contents = await (chance < 0.7
      ? this.#readFiles(pin)
      : this.#readPart(pin, chance < 0.85 ? readArchive(this.#world.random) : readTarGz));
    if (contents !== undefined) {
      this.#check(version, contents);
      this.#history.counts.rounds += 1;
      this.#history.counts[chance < 0.7 ? 'singleReads' : 'archiveReads'] += contents.size;
    }
    if (this.#world.random() < 0.2) await this.#acknowledge(version.version);
    if (this.#world.random() < 0.4) this.#pin = undefined;
  }

  async #resolve(): Promise<Version | undefined> {
    if (this.#pin !== undefined) {
      return await this.#readPart(this.#pin, (_process, version) => Promise.resolve(version));
    }
    const { seenLatest, hasStable } = this.#history;
    const number = String(1 + Math.floor(this.#world.random() * Math.max(1, seenLatest)));
    const reference = this.#world.pick([
      'latest',
      'latest',
      'stable',
      'stable',
      'passing',
      'red',
      'green',
      number,
    ]);
    const consumer = this.#world.random() < 0.5 ? `consumer${this.#id}` : undefined;
    const outcome = await this.#world.ask(({ versions }) =>
      versions.find(NS, this.#name, reference, consumer),
    );
    const isRefused = this.#history.isRefusal(outcome, `resolving ${reference}`);
    if ((reference === 'latest' && seenLatest > 0) || (reference === 'stable' && hasStable)) {
      if (isRefused) this.#fault(`${reference} stands for nothing`);
    }
    if (outcome.kind !== 'done') return undefined;
    const version = outcome.answer;
    if (reference === 'latest' && version.version < seenLatest) {
      this.#fault(`the latest is ${version.version}, and was ${seenLatest} before`);
    }
    this.#history.see(version);
    return version;
  }

  /** Each file by a request of its own. */
  async #readFiles(pin: Pin): Promise<Contents | undefined> {
    const paths = await this.#readPart(pin, async ({ versions }, version) =>
      (await versions.manifest(NS, this.#name, version)).files.map(({ path }) => path),
    );
    if (paths === undefined) return undefined;
    const contents = new Map<string, Uint8Array>();
    for (const path of paths) {
      const bytes = await this.#readPart(
        pin,
        async ({ versions }, version) => (await versions.readFile(NS, this.#name, version, path)).bytes,
      );
      if (bytes === undefined) return undefined;
      contents.set(path, bytes);
    }
    return contents;
  }

  /** What a request for something of the version answers; asked again where no answer comes. */
  async #readPart<Answer>(
    pin: Pin,
    read: (process: MortalProcess, version: Version, name: string) => Promise<Answer>,
  ): Promise<Answer | undefined> {
    for (let tries = 0; tries < TRIES; tries++) {
      const asked = this.#world.clock.now();
      let isFound = false;
      const outcome = await this.#world.ask(async (process) => {
        const version = await process.versions.find(NS, this.#name, String(pin.version));
        isFound = true;
        return await read(process, version, this.#name);
      });
      if (outcome.kind === 'done') {
        pin.at = this.#pinnedAt(asked);
        return outcome.answer;
      }
      if (this.#history.isRefusal(outcome, `reading version ${pin.version}`)) {
        const isMissing = outcome.kind === 'failed' && outcome.error instanceof SkerryError;
        // Much time may have passed before the request began.
        const unread = this.#world.clock.now() - pin.at;
        if (isMissing && (isFound || unread < PINNED_FOR)) {
          const when = isFound ? 'in a read' : `${unread / 60_000} minutes after it was read`;
          this.#fault(`version ${pin.version} vanished ${when}`, outcome.error);
        }
        this.#pin = undefined;
        return undefined;
      }
    }
    return undefined;
  }

  #pinnedAt(asked: number): number {
    return this.#world.hasUsesSince(asked) ? asked : Number.NEGATIVE_INFINITY;
  }

  async #acknowledge(version: number): Promise<void> {
    const said = {
      consumer: `consumer${this.#id}`,
      version,
      ok: this.#world.random() < 0.8,
      channel: 'stable',
    };
    const outcome = await this.#world.ask(({ consumers }) =>
      consumers.acknowledge(NS, this.#name, said, { actor: 'test' }),
    );
    this.#history.isRefusal(outcome, 'acknowledging a version');
  }

  #check(version: Version, contents: Contents): void {
    const token = this.#history.tokenOf(version) ?? tokenIn(contents);
    const fault = faultIn(contents, token);
    if (fault !== undefined) this.#fault(`version ${version.version} was read, and ${fault}`);
  }

  #fault(what: string, error?: unknown): void {
    this.#history.faults.push(`${what}${error instanceof Error ? `: ${error.stack}` : ''}`);
  }
}

/** The whole of a version, as whoever reads it file by file sees it. */
export async function readWholly(
  { versions }: MortalProcess,
  name: string,
  version: Version,
): Promise<Contents> {
  const { files } = await versions.manifest(NS, name, version);
  const contents = new Map<string, Uint8Array>();
  for (const { path } of files) {
    contents.set(path, (await versions.readFile(NS, name, version, path)).bytes);
  }
  return contents;
}

export function tokenIn(contents: Contents): string {
  const [first] = contents.values();
  return (
    Buffer.from(first ?? '')
      .toString()
      .split(' ', 1)[0] ?? ''
  );
}

/** The zip, by ranges. */
function readArchive(random: () => number) {
  return async ({ versions }: MortalProcess, version: Version, name: string): Promise<Contents> => {
    const archive = await versions.archive(NS, name, version);
    const cuts = [0, Math.floor(random() * archive.size), Math.floor(random() * archive.size), archive.size];
    const ends = cuts.sort((a, b) => a - b);
    const pieces = await Promise.all(ends.slice(1).map((end, index) => archive.read(ends[index] ?? 0, end)));
    const inputs = await readZip(new MemoryArchive(Buffer.concat(pieces)), BUNDLE_LIMITS);
    const contents = new Map<string, Uint8Array>();
    for (const input of inputs) {
      if (input.kind !== 'raw') throw new Error('A file of a zip is to be unpacked.');
      const content = await input.read();
      contents.set(input.path, content instanceof Uint8Array ? content : await collect(content));
    }
    return contents;
  };
}

async function readTarGz({ versions }: MortalProcess, version: Version, name: string): Promise<Contents> {
  const entries = await unpackTar(gunzipSync(await versions.tarGz(NS, name, version)));
  return new Map(entries.map(({ header, data }) => [header.name, data ?? new Uint8Array()]));
}
