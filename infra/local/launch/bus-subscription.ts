/** A subscription to the topic of notifications that somebody wants for a program of their own. */
export interface BusSubscription {
  readonly name: string;
  /** Whether it is received from by sessions, which keeps the order of each scope. */
  readonly hasSessions: boolean;
  /** SQL over the properties of messages; absent for all of them. */
  readonly filter?: string;
}

/** `NAME`, `NAME=FILTER`, `NAME:sessions` or `NAME:sessions=FILTER`; undefined for anything else. */
export function parseBusSubscription(text: string): BusSubscription | undefined {
  const { name, sessions, filter } =
    /^(?<name>[^:=]+)(?<sessions>:sessions)?(?:=(?<filter>.+))?$/su.exec(text)?.groups ?? {};
  return name === undefined
    ? undefined
    : { name, hasSessions: sessions !== undefined, ...(filter !== undefined && { filter }) };
}

export function describeBusSubscription({ name, hasSessions, filter }: BusSubscription): string {
  return name + (hasSessions ? ' (sessions)' : '') + (filter === undefined ? '' : `: ${filter}`);
}
