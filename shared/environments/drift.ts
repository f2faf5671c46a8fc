import type { EnvironmentValue, ResourceValue } from './environment.ts';

/** One way in which an environment is not what it should be. */
export interface Drift {
  /** Absent where it is about the environment itself. */
  readonly resource?: string;
  readonly expected: string;
  readonly observed: string;
}

/** What was found to differ, by refreshes and by polls. @param resources by their ids. */
export function driftOf(
  environment: EnvironmentValue,
  resources: ReadonlyMap<string, ResourceValue>,
): readonly Drift[] {
  const own = unhealthy(environment);
  return [
    ...(own === undefined ? [] : [own]),
    ...[...resources].flatMap(([resource, value]) => {
      const found =
        value.drift === undefined ? [] : [{ expected: 'as its template has it', observed: value.drift }];
      const ill = unhealthy(value);
      return [...found, ...(ill === undefined ? [] : [ill])].map((one) => ({ resource, ...one }));
    }),
  ];
}

function unhealthy({ health }: Pick<ResourceValue, 'health'>): Omit<Drift, 'resource'> | undefined {
  return health?.state === 'unhealthy'
    ? { expected: 'healthy', observed: health.detail ?? 'unhealthy' }
    : undefined;
}
