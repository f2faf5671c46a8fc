import {
  bundleScope,
  type RetentionRule,
  type Version,
  type VersionValue,
  versionsPrefix,
} from '../../../../shared/bundles/index.ts';
import { DAY, HOUR } from '../bundle-world.ts';
import { CrashHistory } from './crash-history.ts';
import { CrashJudge } from './crash-judge.ts';
import { CrashReader, readWholly } from './crash-readers.ts';
import { type CrashServers, CrashWorld } from './crash-world.ts';
import { CrashWriter, NS } from './crash-writers.ts';
import type { FaultRates } from './step-faults.ts';
import { faultIn } from './token-files.ts';

export interface Life {
  readonly seed: number;
  readonly name: string;
  /** What each of the 8 writers and 16 readers does, in times. */
  readonly writes: number;
  readonly reads: number;
  /** How many of the versions have many files. */
  readonly wide: number;
}

export interface Account {
  readonly faults: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

const WRITERS = 8;
const READERS = 16;
const RULES: readonly RetentionRule[] = [
  { versions: 1, days: 0 },
  { versions: 2, days: 0 },
  { versions: 3, days: 0.25 },
  { versions: 1, days: 1 },
];
const PROCESSES = [2, 4, 6];
const ANYWHERE = [0, 0.003, 0.01, 0.02];
const FOCUSES = ['records batch', 'blob PUT', 'blob DELETE', 'blob GET', 'leases create', 'records query'];
const AT_FOCUS = 0.15;
/** Milliseconds of real time between two turns of whoever looks after things. */
const TURN = 5;

/** Lets writers and readers, cleanup and time do what they do to a bundle, and then judges all that came of it. */
export async function liveThrough(
  servers: CrashServers,
  { seed, name, writes, reads, wide }: Life,
): Promise<Account> {
  const rule = RULES[seed % RULES.length] ?? { versions: 1, days: 0 };
  const world = new CrashWorld(servers, {
    seed,
    processes: PROCESSES[seed % PROCESSES.length] ?? 4,
    faultRates: ratesOf(seed),
    rule,
  });
  const history = new CrashHistory();
  const place = (id: number) => ({ name, id });
  const isOver = () => history.faults.length > 0;
  const repeat = async (times: number, work: () => Promise<void>) => {
    for (let nth = 0; nth < times && !isOver(); nth++) await work();
  };
  const work = Promise.all([
    ...Array.from({ length: WRITERS }, (_, id) => {
      const writer = new CrashWriter(world, history, { ...place(id), wide });
      return repeat(writes, () => writer.write());
    }),
    ...Array.from({ length: READERS }, (_, id) => {
      const reader = new CrashReader(world, history, place(id));
      return repeat(reads, () => reader.read());
    }),
  ]);
  await lookAfter(world, history, work);
  world.faults.end();
  await settle(world);
  const judge = new CrashJudge(history, name, rule);
  await judge.judge(world.observer);
  const faults = [...history.faults, ...judge.faults, ...(await judgeEnd(world, judge, name))];
  await world.close();
  const { attempts, counts } = history;
  return {
    faults,
    counts: { ...world.faults.counts, ...counts, attempts: attempts.size, versions: judge.published.size },
  };
}

/** Every eighth world knows no faults. */
function ratesOf(seed: number): FaultRates {
  const anywhere = ANYWHERE[(seed >> 1) % ANYWHERE.length] ?? 0;
  const focus = FOCUSES[(seed >> 2) % FOCUSES.length];
  return seed % 2 === 0 || focus === undefined
    ? { anywhere, there: anywhere }
    : { anywhere, focus, there: focus === 'blob GET' ? AT_FOCUS / 3 : AT_FOCUS };
}

/** Lets time pass, and has cleanup and the sweep run, as long as there is work. */
async function lookAfter(world: CrashWorld, history: CrashHistory, work: Promise<unknown>): Promise<void> {
  let isDone = false;
  const watched = work.finally(() => {
    isDone = true;
  });
  const cleaning = (async () => {
    while (!isDone) {
      const cleaned = await world.ask(({ cleanup }) => cleanup.run());
      history.isRefusal(cleaned, 'cleanup');
      const swept = await world.ask(({ sweep }) => sweep.run());
      history.isRefusal(swept, 'the sweep');
      await new Promise((turn) => setTimeout(turn, TURN));
    }
  })();
  while (!isDone) {
    await new Promise((turn) => setTimeout(turn, TURN));
    if (world.random() < 0.1) world.policy.isRetained = !world.policy.isRetained;
    if (world.random() < 0.05) {
      // Now and then more than a use lasts.
      const longest = world.random() < 0.3 ? 60 * HOUR : 8 * HOUR;
      await world.passLong(Math.floor(world.random() * longest));
    } else {
      world.pass(Math.floor(world.random() * (world.random() < 0.1 ? 60_000 : 500)));
    }
  }
  await Promise.all([watched, cleaning]);
}

/** Enough time for everything that nobody uses to be taken away. */
async function settle(world: CrashWorld): Promise<void> {
  world.policy.isRetained = false;
  await world.passLong(0);
}

/** What is left, after whatever cleanup has to take away. */
async function judgeEnd(world: CrashWorld, judge: CrashJudge, name: string): Promise<string[]> {
  const { observer } = world;
  const faults = await readAll(world, judge, name);
  for (const pause of [26 * HOUR, 2 * HOUR, DAY, 2 * HOUR]) {
    await world.passLong(pause);
    const { failed } = await observer.cleanup.run();
    faults.push(...failed.map(({ folder, error }) => `cleanup of ${folder}: ${error}`));
    await observer.sweep.run();
  }
  const { records } = await observer.records.list<VersionValue>(bundleScope(NS, name), {
    prefix: versionsPrefix(name),
  });
  const removed = records.filter(({ value }) => value.removedAt !== undefined);
  faults.push(...removed.map(({ value }) => `version ${value.version} was taken away, and is not gone`));
  const named = new Set(records.flatMap(({ value: { blob } }) => [`${blob}.json`, `${blob}.zip`]));
  const stored = await world.blobs('bundles', `${NS}/${name}/`);
  if (stored.join() !== [...named].sort().join()) {
    faults.push(`stored are ${stored}, and named ${[...named].sort()}`);
  }
  const drafts = await world.blobs('drafts', `${NS}/${name}/`);
  faults.push(...drafts.map((blob) => `${blob} is left of a draft`));
  faults.push(...(await readAll(world, judge, name)));
  return faults;
}

/** Everything that can be found, by somebody who has seen nothing before. */
async function readAll(world: CrashWorld, judge: CrashJudge, name: string): Promise<string[]> {
  const faults: string[] = [];
  const reader = world.newObserver();
  let after: string | undefined;
  do {
    const page = await reader.versions.list(NS, name, { after, limit: 100 });
    for (const version of page.versions) faults.push(...(await read(version)));
    after = page.next;
  } while (after !== undefined);
  return faults;

  async function read(version: Version): Promise<string[]> {
    try {
      const fault = faultIn(await readWholly(reader, name, version), judge.tokenOf(version.version));
      return fault === undefined ? [] : [`version ${version.version} stands, and ${fault}`];
    } catch (error) {
      return [`version ${version.version} stands, and cannot be read: ${error}`];
    }
  }
}
