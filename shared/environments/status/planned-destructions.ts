import { type Command, operationIdOf } from '../../operations/index.ts';
import { type Clock, toTimestamp } from '../../platform/clock.ts';
import { attributesOf, type Records, type Scope, type StoredRecord } from '../../records/index.ts';
import { type EnvironmentValue, environmentKey } from '../environment.ts';
import { destructionStep } from './planned-destruction.ts';

export interface PlannedDestructionsOptions {
  readonly records: Records;
  /** Takes a command once, however often it is given it; throws where it cannot be done as things stand. */
  readonly send: (command: Command) => Promise<unknown>;
  readonly clock: Clock;
  /** Milliseconds by which the warning comes before. */
  readonly warning: number;
}

/** Warned of, and then asked for. */
const MAX_STEPS = 3;

const ACTOR = 'system:planned-destruction';
const SOURCE = `/api/v1/${ACTOR}`;

/**
 * Warns of planned destructions, by a change of the environment, and asks for them when it is time: once for each time that was planned, as the
 * id of the command follows from it. The environment says which operation that is only afterwards; who dies in between asks again
 * for the same. Whether it is still planned then is the command's own condition, decided when its turn comes.
 */
export class PlannedDestructions {
  readonly #options: PlannedDestructionsOptions;

  constructor(options: PlannedDestructionsOptions) {
    this.#options = options;
  }

  /**
   * Does what is due.
   *
   * @returns when more is, in milliseconds since the Unix epoch; undefined for never, as things stand.
   * @throws what `send` throws; it comes to the same again at the next look.
   */
  async attend(scope: Scope): Promise<number | undefined> {
    const { records, send, clock, warning } = this.#options;
    for (let nth = 0; nth < MAX_STEPS; nth += 1) {
      const environment = await records.get<EnvironmentValue>(scope, environmentKey(scope.name));
      if (environment === undefined) {
        return undefined;
      }
      const command = commandFor(scope, environment.value);
      const operation = operationIdOf(scope.ns, command.source, command.id);
      const now = clock.now();
      const step = destructionStep(environment.value, now, warning, operation);
      switch (step.type) {
        case 'none':
          return undefined;
        case 'wait':
          return step.at;
        case 'warn':
          await this.#note(scope, environment, { destructionWarnedOn: toTimestamp(now) });
          break;
        case 'destroy':
          await send(command);
          await this.#note(scope, environment, { destructionOperation: operation });
      }
    }
    return clock.now();
  }

  /** Unless something else is planned by now. */
  async #note(
    scope: Scope,
    { key, value: seen }: StoredRecord<EnvironmentValue>,
    noted: Pick<EnvironmentValue, 'destructionWarnedOn' | 'destructionOperation'>,
  ): Promise<void> {
    await this.#options.records.commit<EnvironmentValue>(scope, {
      key,
      actor: ACTOR,
      decide: (current) =>
        current?.value.createdOn === seen.createdOn &&
        current.value.destructionPlannedOn === seen.destructionPlannedOn
          ? { type: 'put', value: { ...current.value, ...noted }, ...attributesOf(current) }
          : { type: 'keep' },
    });
  }
}

/** An environment that is made anew, or that is to live on, is another case. */
function commandFor(
  { ns, name: environment }: Scope,
  { createdOn, destructionPlannedOn: plannedFor }: EnvironmentValue,
): Command {
  return {
    specversion: '1.0',
    id: `${environment}/${createdOn}/${plannedFor}`,
    source: SOURCE,
    type: 'environment.destroy',
    ns,
    actor: ACTOR,
    data: { environment, plannedFor },
  };
}
