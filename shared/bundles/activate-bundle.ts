import { z } from 'zod';
import type { CommandRule, Operation, StepOutcome, StepWork } from '../operations/index.ts';
import { unprocessable } from '../platform/errors.ts';
import { nameSchema, type Touch } from '../platform/http/index.ts';
import type { Json } from '../records/index.ts';
import { bundleKey, bundleLaneKey, bundleScope } from './bundle.ts';
import type { Channels } from './channels/channels.ts';
import { checkStrategy } from './channels/rollout.ts';
import { strategySchema } from './channels/strategy-schema.ts';
import { referenceInBodySchema, referenceNameSchema } from './versions/reference.ts';
import { unknownBundle } from './versions/version.ts';
import type { Versions } from './versions/versions.ts';

const schema = z.strictObject({
  bundle: nameSchema,
  channel: referenceNameSchema,
  version: referenceInBodySchema,
  strategy: strategySchema
    .optional()
    .describe('Hands the version out step by step; without it everybody gets it at once.'),
});

type Activation = z.output<typeof schema>;

const STEP = 'activate';

export interface ActivateBundleOptions {
  readonly channels: Channels;
  readonly versions: Versions;
  /** Base of links that a gate's webhook is sent. */
  readonly ownUrl: string;
}

/** The command `bundle.activate`: lets a channel stand for a version that passes its gates. A rollout goes on by itself when the operation is over. */
export class ActivateBundle implements CommandRule<Activation> {
  readonly type = 'bundle.activate';
  readonly summary =
    'Lets a channel of a bundle stand for a version that passes its gates, at once or step by step';
  readonly schema = schema;
  readonly #options: ActivateBundleOptions;

  constructor(options: ActivateBundleOptions) {
    this.#options = options;
  }

  lane(ns: string, { bundle }: Activation) {
    return { scope: bundleScope(ns, bundle), key: bundleLaneKey(bundle), session: `bundle:${bundle}` };
  }

  touches({ bundle }: Activation): Touch[] {
    return [{ verb: 'write', keys: bundleKey(bundle) }];
  }

  missing(ns: string, { bundle }: Activation) {
    return unknownBundle(ns, bundle);
  }

  async check(ns: string, { bundle, version, strategy }: Activation): Promise<void> {
    if (strategy !== undefined) checkStrategy(strategy);
    await this.#options.versions.find(ns, bundle, version);
  }

  keys() {
    return [];
  }

  begin() {
    return [];
  }

  /** What stands for a version now is what the version of the operation is. */
  async plan({ ns, data }: Operation<Activation>) {
    await this.check(ns, data);
    const { version } = await this.#options.versions.find(ns, data.bundle, data.version);
    return [{ id: STEP, verb: 'run', dependsOn: [], memo: version } as const];
  }

  async perform(
    { ns, data, actor }: Operation<Activation>,
    { memo }: { readonly memo?: Json },
    _attempt: StepWork,
  ): Promise<StepOutcome> {
    const { bundle, channel, strategy } = data;
    const { ownUrl } = this.#options;
    if (typeof memo !== 'number') throw unprocessable('The step does not say which version it activates.');
    const { channel: after } = await this.#options.channels.put(
      { ns, name: bundle, channel },
      { version: String(memo), strategy },
      { author: { actor }, ownUrl },
    );
    const { state } = after.rollout ?? {};
    return {
      state: 'succeeded',
      outputs: { version: memo, ...(strategy !== undefined && state !== undefined && { rollout: state }) },
    };
  }

  stepKeys() {
    return [];
  }

  stepEnded() {
    return [];
  }

  conclude() {
    return [];
  }

  result({ data }: Operation<Activation>, [step]: readonly { readonly outputs?: Json }[]): Json | undefined {
    const { outputs } = step ?? {};
    return { bundle: data.bundle, channel: data.channel, ...(outputs as Record<string, Json> | undefined) };
  }
}
