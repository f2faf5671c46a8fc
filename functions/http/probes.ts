import { z } from 'zod';
import { json, nameSchema } from '../../shared/platform/http/index.ts';
import {
  isLive,
  isReady,
  metricsOf,
  type Probed,
  probeBody,
  probeOf,
  unknownAgent,
} from '../../shared/status/index.ts';
import type { Services } from '../services.ts';
import { endpoint } from './endpoint.ts';

/** In Unix seconds. */
const STARTED_AT = Math.floor(Date.now() / 1000 - process.uptime());

const METRICS = 'text/plain; version=0.0.4; charset=utf-8';

const query = { agent: nameSchema.optional().describe('Label of the agent; Skerry itself without it.') };
const statusSchema = z
  .looseObject({
    state: z.int().optional().describe('1 is OK, 2 is in error; left out while it starts.'),
    PluginStatus: z.record(z.string(), z.looseObject({})),
    NonFatalPlugins: z.array(z.string()),
  })
  .describe("The agent's status in cn-infra's fields.");

const liveness = endpoint({
  name: 'probeLiveness',
  method: 'GET',
  route: 'liveness',
  summary: "cn-infra's liveness probe: 200 while an agent, or Skerry itself, starts or is OK",
  access: 'open',
  query,
  responses: {
    200: { description: 'It starts or is OK.', body: statusSchema },
    500: { description: 'It is in error.', body: statusSchema },
  },
  errors: ['not-found', 'unavailable'],
  async handle({ ns, query: { agent } }, services) {
    const probed = await probe(ns, agent, services);
    return json(isLive(probed) ? 200 : 500, probeBody(probed));
  },
});

const readiness = endpoint({
  name: 'probeReadiness',
  method: 'GET',
  route: 'readiness',
  summary: "cn-infra's readiness probe: 200 while an agent, or Skerry itself, is OK",
  access: 'open',
  query,
  responses: {
    200: { description: 'It is OK.', body: statusSchema },
    500: { description: 'It starts, or is in error.', body: statusSchema },
  },
  errors: ['not-found', 'unavailable'],
  async handle({ ns, query: { agent } }, services) {
    const probed = await probe(ns, agent, services);
    return json(isReady(probed) ? 200 : 500, probeBody(probed));
  },
});

const metrics = endpoint({
  name: 'getHealthMetrics',
  method: 'GET',
  route: 'health',
  summary: "cn-infra's health metrics of an agent, or of Skerry itself, for Prometheus",
  access: 'open',
  query,
  responses: { 200: { description: 'The metrics.', body: z.string(), mediaType: 'text/plain' } },
  errors: ['not-found', 'unavailable'],
  async handle({ ns, query: { agent } }, services) {
    const body = metricsOf(await probe(ns, agent, services));
    return { status: 200, headers: { 'Content-Type': METRICS }, body };
  },
});

export const probeEndpoints = [liveness, readiness, metrics];

/** @throws SkerryError `not-found` for an agent that nothing is known of. */
async function probe(
  ns: string,
  label: string | undefined,
  { agents, readiness: dependencies, clock }: Services,
): Promise<Probed> {
  if (label === undefined) {
    return probeOf(await dependencies.check(), STARTED_AT, Math.floor(clock.now() / 1000));
  }
  const known = await agents.get({ ns, label });
  if (known === undefined) {
    throw unknownAgent({ ns, label });
  }
  return { label, ...known };
}
