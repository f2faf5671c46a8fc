import { isIP } from 'node:net';
import { z } from 'zod';
import {
  announcementSchema,
  fromGossipList,
  type GossipEntry,
  gossipListSchema,
  toGossipList,
} from '../../shared/federation/index.ts';
import { invalid } from '../../shared/platform/errors.ts';
import { json, type KeyAccess, type Touch, text } from '../../shared/platform/http/index.ts';
import { endpoint } from './endpoint.ts';

const READ: KeyAccess = { verb: 'list', keys: '/reg/', legacy: true };
const WRITE: KeyAccess = { verb: 'write', keys: '/reg/', legacy: true };

const list = endpoint({
  name: 'listGossipEntries',
  method: 'GET',
  route: 'registry/list',
  summary: 'All nodes that gossip has told of',
  access: READ,
  surface: 'legacy',
  responses: { 200: { description: 'Each node by its address.', body: gossipListSchema } },
  async handle(_request, { gossip }) {
    return json(200, toGossipList(await gossip.list()));
  },
});

/** The README of the gossip registry writes `/register/…` once and `/registry/…` else. */
const registrations = (
  [
    ['registerGossipEntry', 'registry/register_instance'],
    ['registerGossipEntryByAlias', 'register/register_instance'],
  ] as const
).map(([name, route]) =>
  endpoint({
    name,
    method: 'POST',
    route,
    summary: 'Adds a node, or raises its last_update',
    access: WRITE,
    touches: ({ body }) => [writes(body)],
    surface: 'legacy',
    body: announcementSchema,
    responses: {
      200: {
        description: 'The entry stands, or a newer one does.',
        body: z.literal('success'),
        mediaType: 'text/plain',
      },
    },
    async handle({ author, body }, { gossip }) {
      await gossip.register(body, author);
      return text(200, 'success');
    },
  }),
);

const registerAll = endpoint({
  name: 'registerGossipEntries',
  method: 'POST',
  route: 'registry/register_all',
  summary: 'Merges the list of another registry into this one',
  access: WRITE,
  touches: ({ body }) => fromGossipList(body).map(writes),
  surface: 'legacy',
  body: gossipListSchema,
  responses: {
    200: {
      description: 'Each entry stands, or a newer one does.',
      body: z.literal('Success!'),
      mediaType: 'text/plain',
    },
  },
  async handle({ author, body }, { gossip }) {
    await gossip.registerAll(fromGossipList(body), author);
    return text(200, 'Success!');
  },
});

const callersAddress = endpoint({
  name: 'getCallersAddress',
  method: 'GET',
  route: 'registry/get_ip',
  summary: "The caller's IP address, by which a node learns its own",
  access: READ,
  surface: 'legacy',
  responses: {
    200: {
      description: 'The address, without a port.',
      body: z.union([z.ipv4(), z.ipv6()]),
      mediaType: 'text/plain',
    },
  },
  handle({ clientAddress }) {
    if (clientAddress === undefined || isIP(clientAddress) === 0) {
      throw invalid('The front end did not tell the address that this request came from.', {
        field: 'X-Forwarded-For',
        fix: 'Call through the front end of the app.',
      });
    }
    return text(200, clientAddress);
  },
});

/** The surface of the gossip registry that Skerry replaces, so that its nodes work unchanged. */
export const gossipEndpoints = [list, ...registrations, registerAll, callersAddress];

function writes({ address }: GossipEntry): Touch {
  return { verb: 'write', keys: `/reg/${address}` };
}
