import { z } from 'zod';
import type {
  CommandRule,
  Current,
  Operation,
  OperationEnd,
  PlannedStep,
  StepValue,
  Writes,
} from '../../../shared/operations/index.ts';
import { unprocessable } from '../../../shared/platform/errors.ts';
import type { Json } from '../../../shared/records/index.ts';

const schema = z.strictObject({
  place: z.string(),
  steps: z.array(z.strictObject({ id: z.string(), dependsOn: z.array(z.string()) })),
  executor: z.string().default('test'),
  maxAttempts: z.int().default(3),
  timeoutSeconds: z.int().default(3600),
  refusedBy: z.enum(['check', 'begin', 'plan']).optional(),
});

export type Build = z.output<typeof schema>;

/** The record `/env/PLACE`, and those of its parts. */
export interface Built {
  readonly state: string;
  readonly by: string;
}

export const placeScope = (place: string) => ({ ns: 'default', kind: 'env', name: place });
export const placeKey = (place: string) => `/env/${place}`;
export const laneKey = (place: string) => `/env/${place}/work`;
export const partKey = (place: string, part: string) => `/env/${place}/resources/${part}`;

/** A command of the tests: builds parts of a place, each by a step. */
export const buildRule: CommandRule<Build> = {
  type: 'test.build',
  summary: 'Builds',
  schema,
  lane: (ns, { place }) => ({
    scope: { ...placeScope(place), ns },
    key: laneKey(place),
    session: place,
  }),
  touches: ({ place }) => [{ verb: 'write', keys: placeKey(place) }],
  check: async (_ns, { refusedBy }) => refuse('check', refusedBy),
  keys: ({ data }) => [placeKey(data.place)],
  begin({ id, data }, _current, _now) {
    refuse('begin', data.refusedBy);
    return [put(placeKey(data.place), { state: 'building', by: id })];
  },
  async plan({ data }): Promise<readonly PlannedStep[]> {
    refuse('plan', data.refusedBy);
    const { executor, maxAttempts, timeoutSeconds } = data;
    const action = { name: 'build', executor, app: {}, command: {}, timeoutSeconds, maxAttempts };
    return data.steps.map((step) => ({ ...step, verb: 'create', resource: step.id, action }));
  },
  stepKeys: ({ data }, { id }) => [partKey(data.place, id)],
  stepEnded: ({ id, data }: Operation<Build>, step: StepValue, _current: Current): Writes => [
    put(partKey(data.place, step.id), { state: step.state, by: id }),
  ],
  conclude: ({ id, data }, { outcome }: OperationEnd) => [
    put(placeKey(data.place), { state: outcome, by: id }),
  ],
};

function put(key: string, value: Built): Writes[number] {
  return { key, decision: { type: 'put', value: { ...value } as Record<string, Json> } };
}

function refuse(when: string, refusedBy: string | undefined): void {
  if (when === refusedBy) throw unprocessable(`It is refused by ${when}.`);
}
