import { z } from 'zod';
import { toTimestamp } from '../../shared/platform/clock.ts';
import { canonicalLocation, json, noContent } from '../../shared/platform/http/index.ts';
import { leaseIsOver, type Scope, type SessionLease } from '../../shared/records/index.ts';
import { endpoint } from './endpoint.ts';
import { ttlSchema } from './time-limits.ts';

const leaseSchema = z.strictObject({
  id: z.string().describe('For `?lease=` of writes to the same store.'),
  ttl: ttlSchema,
  expiresAt: z.iso.datetime().describe('When the lease is over, and its keys gone, unless it is renewed.'),
});

const grantLease = endpoint({
  name: 'grantKvLease',
  method: 'POST',
  route: 'api/v1/kv-leases/{store}',
  summary: 'A new lease: keys of the store that are written with it live as long as it is renewed',
  access: { verb: 'write', keys: '/kv/{store}/' },
  body: z.strictObject({ ttl: ttlSchema }),
  responses: { 201: { description: 'The lease.', body: leaseSchema, headers: ['Location'] } },
  async handle(request, { sessions }) {
    const { ns, params, body } = request;
    const lease = await sessions.grant(scopeOf(ns, params.store), body.ttl);
    return json(201, toView(lease), {
      location: canonicalLocation(request, `kv-leases/${params.store}/${lease.id}`),
    });
  },
});

const renewLease = endpoint({
  name: 'renewKvLease',
  method: 'PUT',
  route: 'api/v1/kv-leases/{store}/{id}/renew',
  summary: 'Makes sure that a whole ttl is left; 404 when the lease is over',
  access: { verb: 'write', keys: '/kv/{store}/' },
  missing: ({ id }) => leaseIsOver(id),
  responses: { 200: { description: 'The lease.', body: leaseSchema } },
  errors: ['not-found'],
  async handle({ ns, params }, { sessions }) {
    return json(200, toView(await sessions.renew(scopeOf(ns, params.store), params.id)));
  },
});

const getLease = endpoint({
  name: 'getKvLease',
  method: 'GET',
  route: 'api/v1/kv-leases/{store}/{id}',
  summary: 'A lease, and the keys that are attached to it',
  access: { verb: 'read', keys: '/kv/{store}/' },
  missing: ({ id }) => leaseIsOver(id),
  responses: {
    200: { description: 'The lease.', body: leaseSchema.extend({ keys: z.array(z.string()) }) },
  },
  errors: ['not-found'],
  async handle({ ns, params }, { sessions, attached }) {
    const scope = scopeOf(ns, params.store);
    const [lease, keys] = await Promise.all([
      sessions.find(scope, params.id),
      attached.keys(scope, params.id),
    ]);
    if (lease === undefined) {
      throw leaseIsOver(params.id);
    }
    const prefix = `/kv/${params.store}/`;
    return json(200, { ...toView(lease), keys: keys.map((key) => key.slice(prefix.length)) });
  },
});

const revokeLease = endpoint({
  name: 'revokeKvLease',
  method: 'DELETE',
  route: 'api/v1/kv-leases/{store}/{id}',
  summary: 'Ends a lease, and deletes the keys that are attached to it',
  access: { verb: 'delete', keys: '/kv/{store}/' },
  missing: ({ id }) => leaseIsOver(id),
  responses: { 204: { description: 'The lease is over, and its keys are gone.' } },
  errors: ['not-found'],
  async handle({ ns, params, author }, { attached }) {
    await attached.revoke(scopeOf(ns, params.store), params.id, author);
    return noContent();
  },
});

export const kvLeaseEndpoints = [grantLease, renewLease, getLease, revokeLease];

function scopeOf(ns: string, store: string): Scope {
  return { ns, kind: 'kv', name: store };
}

function toView({ id, ttl, expiresAt }: SessionLease) {
  return { id, ttl, expiresAt: toTimestamp(expiresAt) };
}
