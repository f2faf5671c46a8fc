import { z } from 'zod';

/** What the gossip registry knows of one node. */
export interface GossipEntry {
  readonly address: string;
  readonly appName: string;
  /** When the node last told of itself by its own clock, in whole seconds since the Unix epoch. */
  readonly lastUpdate: number;
}

/** Visible ASCII takes every host and port, bracketed IPv6 and URLs included; `__proto__` could not be sent back as a list. */
const ADDRESS_PATTERN = /^(?!__proto__$)[\x21-\x7e]{1,255}$/;
const MAX_APP_NAME_CHARACTERS = 255;

const addressSchema = z
  .string()
  .regex(ADDRESS_PATTERN, 'must be 1 to 255 visible ASCII characters, such as 10.0.0.1:5000');

const appNameSchema = z.string().min(1).max(MAX_APP_NAME_CHARACTERS);

/** Numeric strings count as numbers, as they did for the original. */
const lastUpdateSchema = z.union(
  [
    z.int(),
    z
      .string()
      .regex(/^-?\d{1,15}$/)
      .transform(Number)
      .pipe(z.int()),
  ],
  'must be whole seconds since the Unix epoch',
);

const standingSchema = z.object({ app_name: appNameSchema, last_update: lastUpdateSchema });

/** The form in which one node is registered (README of the gossip registry, "Interface"). */
export const announcementSchema = z.object({ address: addressSchema, ...standingSchema.shape }).transform(
  ({ address, app_name, last_update }): GossipEntry => ({
    address,
    appName: app_name,
    lastUpdate: last_update,
  }),
);

/** The form of the list, in which registries push theirs to each other too: each node's standing by its address. */
export const gossipListSchema = z.record(addressSchema, standingSchema);

type GossipList = z.output<typeof gossipListSchema>;

export function fromGossipList(list: GossipList): readonly GossipEntry[] {
  return Object.entries(list).map(([address, { app_name, last_update }]) => ({
    address,
    appName: app_name,
    lastUpdate: last_update,
  }));
}

export function toGossipList(entries: readonly GossipEntry[]): GossipList {
  return Object.fromEntries(
    entries.map(({ address, appName, lastUpdate }) => [
      address,
      { app_name: appName, last_update: lastUpdate },
    ]),
  );
}
