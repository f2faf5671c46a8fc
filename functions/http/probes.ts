import { z } from 'zod';
import { type HttpResponse, json } from '../../shared/platform/http/index.ts';
import { metrics, prometheusText } from '../../shared/platform/telemetry/index.ts';
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
import { STATUS_KEYS } from './status.ts';

/** In Unix seconds. */
const STARTED_AT = Math.floor(Date.now() / 1000 - process.uptime());

const METRICS = 'text/plain; version=0.0.4; charset=utf-8';

const statusSchema = z
  .looseObject({
    state: z.int().optional().describe('1 is OK, 2 is in error; left out while it starts.'),
    PluginStatus: z.record(z.string(), z.looseObject({})),
    NonFatalPlugins: z.array(z.string()),
  })
  .describe("The agent's status in cn-infra's fields.");

/** What a probe asks, of Skerry itself by a route at the root, which is open, and of an agent below its status, which is not. */
const liveness = {
  method: 'GET',
  responses: {
    200: { description: 'It starts or is OK.', body: statusSchema },
    500: { description: 'It is in error.', body: statusSchema },
  },
} as const;

const readiness = {
  method: 'GET',
  responses: {
    200: { description: 'It is OK.', body: statusSchema },
    500: { description: 'It starts, or is in error.', body: statusSchema },
  },
} as const;

const healthMetrics = {
  method: 'GET',
  responses: { 200: { description: 'The metrics.', body: z.string(), mediaType: 'text/plain' } },
} as const;

const agentAccess = {
  access: { verb: 'read', keys: STATUS_KEYS },
  missing: ({ label }: { readonly label: string }, ns: string) => unknownAgent({ ns, label }),
  errors: ['not-found'],
} as const;

export const probeEndpoints = [
  endpoint({
    ...liveness,
    name: 'probeLiveness',
    route: 'liveness',
    summary: "cn-infra's liveness probe, of Skerry itself: 200 while it is OK",
    access: 'open',
    handle: async (_, services) => answerLiveness(await probeSkerry(services)),
  }),
  endpoint({
    ...readiness,
    name: 'probeReadiness',
    route: 'readiness',
    summary: "cn-infra's readiness probe, of Skerry itself: 200 while it is OK",
    access: 'open',
    handle: async (_, services) => answerReadiness(await probeSkerry(services)),
  }),
  endpoint({
    ...healthMetrics,
    name: 'getHealthMetrics',
    route: 'health',
    summary: "cn-infra's health metrics for Prometheus, of Skerry itself, and all that this process counts",
    access: 'open',
    handle: async (_, services) =>
      answerMetrics(await probeSkerry(services), prometheusText(Object.values(metrics))),
  }),
  endpoint({
    ...liveness,
    name: 'probeAgentLiveness',
    route: 'api/v1/status/{label}/liveness',
    summary: "cn-infra's liveness probe, of an agent: 200 while it starts or is OK",
    ...agentAccess,
    handle: async ({ ns, params }, services) => answerLiveness(await probeAgent(ns, params.label, services)),
  }),
  endpoint({
    ...readiness,
    name: 'probeAgentReadiness',
    route: 'api/v1/status/{label}/readiness',
    summary: "cn-infra's readiness probe, of an agent: 200 while it is OK",
    ...agentAccess,
    handle: async ({ ns, params }, services) => answerReadiness(await probeAgent(ns, params.label, services)),
  }),
  endpoint({
    ...healthMetrics,
    name: 'getAgentHealthMetrics',
    route: 'api/v1/status/{label}/health',
    summary: "cn-infra's health metrics for Prometheus, of an agent",
    ...agentAccess,
    handle: async ({ ns, params }, services) => answerMetrics(await probeAgent(ns, params.label, services)),
  }),
];

function answerLiveness(probed: Probed): HttpResponse {
  return json(isLive(probed) ? 200 : 500, probeBody(probed));
}

function answerReadiness(probed: Probed): HttpResponse {
  return json(isReady(probed) ? 200 : 500, probeBody(probed));
}

function answerMetrics(probed: Probed, counted = ''): HttpResponse {
  return { status: 200, headers: { 'Content-Type': METRICS }, body: metricsOf(probed) + counted };
}

async function probeSkerry({ readiness: dependencies, clock }: Services): Promise<Probed> {
  return probeOf(await dependencies.check(), STARTED_AT, Math.floor(clock.now() / 1000));
}

/** @throws SkerryError `not-found` for an agent that nothing is known of. */
async function probeAgent(ns: string, label: string, { agents }: Services): Promise<Probed> {
  const known = await agents.get({ ns, label });
  if (known === undefined) {
    throw unknownAgent({ ns, label });
  }
  return { label, ...known };
}
