import { toTimestamp } from '../../platform/clock.ts';
import { conflict, type SkerryError, unprocessable } from '../../platform/errors.ts';
import {
  type ChannelValue,
  isUnderWay,
  type Rollout,
  type RolloutState,
  type RolloutStep,
} from './channel.ts';

/*
 * How a channel moves from one version to the next. Each function makes the channel that a step leaves behind, out of the channel as it
 * stands and the time, in milliseconds since the Unix epoch. A step of a rollout begins only when it is written down, and bakes from
 * then on: a system that was asleep for a week makes up for nothing, and no step is skipped.
 */

export interface RolloutStrategy {
  readonly steps: readonly RolloutStep[];
  readonly maxFailures: number;
}

/** @throws SkerryError `unprocessable` unless each step reaches more consumers than the one before. */
export function checkStrategy({ steps }: RolloutStrategy): void {
  const index = steps.findIndex(({ percent }, at) => percent <= (steps[at - 1]?.percent ?? 0));
  if (index !== -1) {
    throw unprocessable('Each step of a rollout has to reach more consumers than the one before.', {
      field: `strategy.steps[${index}].percent`,
      fix: 'Let "percent" rise from step to step, up to 100.',
    });
  }
}

/** Everybody gets a version at once; that ends a rollout under way. */
export function activate(channel: ChannelValue, version: number): ChannelValue {
  const ended = endedFor(channel, version);
  return channel.version === version ? ended : { ...ended, version, previous: channel.version };
}

/** Begins to hand out a version; that ends a rollout of another one. The same rollout goes on, even where it is paused. */
export function startRollout(
  channel: ChannelValue,
  version: number,
  { steps, maxFailures }: RolloutStrategy,
  now: number,
): ChannelValue {
  const { rollout } = channel;
  if (channel.version === version) {
    return endedFor(channel, version);
  }
  if (isUnderWay(rollout) && isSame(rollout, { version, steps, maxFailures })) {
    return channel;
  }
  const started = { version, state: 'rolling', steps, step: 0, stepSince: toTimestamp(now) } as const;
  return { ...channel, rollout: { ...started, maxFailures, failures: [] } };
}

/** When the present step has baked, in milliseconds since the Unix epoch; undefined where nothing bakes. */
export function dueAt(rollout: Rollout | undefined): number | undefined {
  return rollout?.state === 'rolling'
    ? Date.parse(rollout.stepSince) + 1000 * (rollout.steps[rollout.step]?.bake ?? 0)
    : undefined;
}

/** Goes on to the next step, and after the last one to everybody. One step at a time, however long the present one was due. */
export function advance(channel: ChannelValue, now: number): ChannelValue {
  const rollout = rolloutOf(channel, ['rolling'], 'advance');
  const due = dueAt(rollout);
  if (due !== undefined && now < due) {
    throw conflict(`The present step of the rollout bakes until ${toTimestamp(due)}.`, {
      fix: 'Wait until then, or activate the version at once: PUT the channel without a "strategy".',
    });
  }
  const isLast = rollout.step + 1 >= rollout.steps.length;
  return isLast
    ? activate(channel, rollout.version)
    : { ...channel, rollout: { ...rollout, step: rollout.step + 1, stepSince: toTimestamp(now) } };
}

/** Who has the new version keeps it, nobody else gets it, and no time counts. As `resume` and `abort`, it changes nothing where that is so already: whoever asks again may have missed the answer. */
export function pause(channel: ChannelValue, now: number): ChannelValue {
  if (channel.rollout?.state === 'paused') return channel;
  const rollout = rolloutOf(channel, ['rolling'], 'pause');
  const baked = Math.max(0, now - Date.parse(rollout.stepSince)) / 1000;
  return { ...channel, rollout: { ...rollout, state: 'paused', baked } };
}

/** Goes on with what was left of the step. */
export function resume(channel: ChannelValue, now: number): ChannelValue {
  if (channel.rollout?.state === 'rolling') return channel;
  const { baked = 0, ...rollout } = rolloutOf(channel, ['paused'], 'resume');
  const stepSince = toTimestamp(now - Math.round(1000 * baked));
  return { ...channel, rollout: { ...rollout, state: 'rolling', stepSince } };
}

/** Everybody has the old version again. */
export function abort(channel: ChannelValue, reason: string): ChannelValue {
  if (channel.rollout?.state === 'aborted') return channel;
  return { ...channel, rollout: end(rolloutOf(channel, ['rolling', 'paused'], 'abort'), 'aborted', reason) };
}

/** Counts a consumer that cannot work with a version; with the last that is tolerated the rollout fails, and everybody has the old version. */
export function countFailure(
  channel: ChannelValue,
  version: number,
  { consumer, detail }: { readonly consumer: string; readonly detail?: string | undefined },
): ChannelValue {
  const { rollout } = channel;
  if (!isUnderWay(rollout) || rollout.version !== version || rollout.failures.includes(consumer)) {
    return channel;
  }
  const counted = { ...rollout, failures: [...rollout.failures, consumer] };
  if (counted.failures.length < rollout.maxFailures) {
    return { ...channel, rollout: counted };
  }
  const count = counted.failures.length;
  const who =
    count === 1 ? `The consumer "${consumer}"` : `${count} consumers, the last of them "${consumer}",`;
  const what = detail === undefined ? '.' : `: ${detail}`;
  return { ...channel, rollout: end(counted, 'failed', `${who} reported failure${what}`) };
}

/** The consumer works with the version after all; what has failed already stays so. */
export function takeFailureBack(channel: ChannelValue, version: number, consumer: string): ChannelValue {
  const { rollout } = channel;
  return isUnderWay(rollout) && rollout.version === version && rollout.failures.includes(consumer)
    ? { ...channel, rollout: { ...rollout, failures: rollout.failures.filter((one) => one !== consumer) } }
    : channel;
}

/** The channel without a rollout under way: it is done where it was to bring this version, else aborted. */
function endedFor(channel: ChannelValue, version: number): ChannelValue {
  const { rollout } = channel;
  if (!isUnderWay(rollout)) {
    return channel;
  }
  return {
    ...channel,
    rollout:
      rollout.version === version
        ? end(rollout, 'done')
        : end(rollout, 'aborted', `Version ${version} was activated.`),
  };
}

function end(
  { baked: _, ...rollout }: Rollout,
  state: Exclude<RolloutState, 'rolling' | 'paused'>,
  reason?: string,
): Rollout {
  return { ...rollout, state, ...(reason !== undefined && { reason }) };
}

function isSame(
  rollout: Rollout,
  { version, steps, maxFailures }: RolloutStrategy & { version: number },
): boolean {
  return (
    rollout.version === version &&
    rollout.maxFailures === maxFailures &&
    rollout.steps.length === steps.length &&
    rollout.steps.every(({ percent, bake }, at) => percent === steps[at]?.percent && bake === steps[at]?.bake)
  );
}

/** @throws SkerryError `conflict` where there is no rollout in such a state. */
function rolloutOf(
  { rollout }: ChannelValue,
  states: readonly RolloutState[],
  what: 'advance' | 'pause' | 'resume' | 'abort',
): Rollout {
  if (rollout === undefined || !states.includes(rollout.state)) {
    throw refusal(rollout, what);
  }
  return rollout;
}

const NEXT: Readonly<Record<RolloutState, string>> = {
  rolling: 'It can be paused or aborted.',
  paused: 'It can be resumed or aborted.',
  done: 'It is over; start another one by PUT of the channel with a "strategy".',
  failed:
    'It is over, and everybody has the old version; start another one by PUT of the channel with a "strategy".',
  aborted:
    'It is over, and everybody has the old version; start another one by PUT of the channel with a "strategy".',
};

function refusal(rollout: Rollout | undefined, what: string): SkerryError {
  return rollout === undefined
    ? conflict(`There is no rollout to ${what}.`, {
        fix: 'Start one by PUT of the channel with a "strategy".',
      })
    : conflict(`The rollout of version ${rollout.version} is ${rollout.state}: nothing to ${what}.`, {
        fix: NEXT[rollout.state],
      });
}
