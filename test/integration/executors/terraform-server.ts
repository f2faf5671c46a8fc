import { type ApiAnswer, type ApiCall, type ApiServer, startApiServer } from './api-server.ts';

export interface Run {
  readonly id: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  status: string;
  wasApplying: boolean;
  hasChanges: boolean;
}

export interface Terraform extends ApiServer {
  /** The oldest first. */
  readonly runs: Run[];
  /** Words that each look at a run moves it along; it stays at the last. */
  course: string[];
  /** Of the workspace's state, by name. */
  outputs: Record<string, { readonly value: unknown; readonly sensitive?: boolean }>;
  resourceCount: number;
  /** Whether outputs are still being worked out. */
  isProcessing: boolean;
}

export const TERRAFORM_TOKEN = 'atlasv1.top-secret-of-terraform';
const WORKSPACE = 'ws-4j8p6jX1w33MiDC7';
const PLAN = 'plan-8F5JFydVYAmtTjET';
const FINAL = ['applied', 'planned_and_finished', 'errored', 'canceled', 'discarded', 'policy_soft_failed'];
const MEDIA_TYPE = 'application/vnd.api+json';

/** The part of the API of HCP Terraform, version 2, that is about runs of one workspace, `acme/network`. */
export async function startTerraform(): Promise<Terraform> {
  function answer(call: ApiCall): ApiAnswer {
    if (call.headers.authorization !== `Bearer ${TERRAFORM_TOKEN}`) {
      return fault(401, 'unauthorized');
    }
    if (call.method === 'POST' && call.headers['content-type'] !== MEDIA_TYPE) {
      return fault(415, 'unsupported media type');
    }
    const path = call.url.pathname.replace(/^\/api\/v2/, '');
    const [, id, action] = /^\/runs\/([^/]+)(?:\/(.+))?$/.exec(path) ?? [];
    const run = terraform.runs.find((one) => one.id === id);
    if (run !== undefined) {
      return `${call.method} ${action}` === 'GET undefined'
        ? look(run)
        : act(run, `${call.method} ${action}`);
    }
    switch (`${call.method} ${path}`) {
      case 'GET /organizations/acme/workspaces/network':
        return document({
          id: WORKSPACE,
          type: 'workspaces',
          attributes: { 'resource-count': terraform.resourceCount },
        });
      case 'POST /runs':
        return create(call);
      case `GET /plans/${PLAN}`:
        return document({
          id: PLAN,
          type: 'plans',
          attributes: {
            'resource-additions': 1,
            'resource-changes': 2,
            'resource-destructions': 0,
            status: 'finished',
          },
        });
      case `GET /workspaces/${WORKSPACE}/runs`:
        return list(Number(call.url.searchParams.get('page[size]') ?? 20));
      case `GET /workspaces/${WORKSPACE}/current-state-version-outputs`:
        return outputs();
      default:
        return fault(404, 'not found');
    }
  }

  function create({ body }: ApiCall): ApiAnswer {
    const { data } = body as {
      readonly data: {
        readonly attributes: Readonly<Record<string, unknown>>;
        readonly relationships: { readonly workspace: { readonly data: { readonly id: string } } };
      };
    };
    if (data.relationships.workspace.data.id !== WORKSPACE) {
      return fault(404, 'not found');
    }
    const run = {
      id: `run-CZcmD7eagjhy${terraform.runs.length}`,
      attributes: data.attributes,
      status: 'pending',
      wasApplying: false,
      hasChanges: false,
    };
    terraform.runs.push(run);
    return document(shown(run), 201);
  }

  function list(size: number): ApiAnswer {
    return document(terraform.runs.toReversed().slice(0, size).map(shown));
  }

  function look(run: Run): ApiAnswer {
    const next = terraform.course.shift();
    if (next !== undefined && !FINAL.includes(run.status)) {
      run.status = next;
      run.wasApplying ||= next === 'applying';
    }
    return document(shown(run));
  }

  function act(run: Run, what: string): ApiAnswer {
    switch (what) {
      case 'POST actions/cancel':
        return move(run, ['planning', 'applying'], 'canceled');
      case 'POST actions/discard':
        return move(run, ['pending', 'planned', 'policy_checked', 'policy_override'], 'discarded');
      default:
        return fault(404, 'not found');
    }
  }

  function move(run: Run, from: readonly string[], to: string): ApiAnswer {
    if (!from.includes(run.status)) {
      return fault(409, 'transition not allowed');
    }
    run.status = to;
    return { status: 202 };
  }

  function outputs(): ApiAnswer {
    return terraform.isProcessing
      ? fault(503, 'outputs are being processed')
      : document(
          Object.entries(terraform.outputs).map(([name, { value, sensitive = false }]) => ({
            id: `wsout-${name}`,
            type: 'state-version-outputs',
            attributes: { name, value, sensitive, type: 'string', 'detailed-type': 'string' },
          })),
        );
  }

  const server = await startApiServer(answer);
  const terraform: Terraform = Object.assign(server, {
    runs: [],
    course: [],
    outputs: {},
    resourceCount: 3,
    isProcessing: false,
  });
  return terraform;
}

function shown({ id, attributes, status, wasApplying, hasChanges }: Run) {
  const timestamps = { 'plan-queueable-at': '2026-05-24T07:38:04+00:00' };
  const applying = wasApplying ? { 'applying-at': '2026-05-24T07:39:04+00:00' } : {};
  return {
    id,
    type: 'runs',
    attributes: {
      ...attributes,
      status,
      'has-changes': hasChanges,
      'status-timestamps': { ...timestamps, ...applying },
    },
    relationships: {
      workspace: { data: { id: WORKSPACE, type: 'workspaces' } },
      plan: { data: { id: PLAN, type: 'plans' } },
    },
    links: { self: `/api/v2/runs/${id}` },
  };
}

function document(data: unknown, status = 200): ApiAnswer {
  return { status, headers: { 'content-type': MEDIA_TYPE }, body: { data } };
}

function fault(status: number, title: string): ApiAnswer {
  return {
    status,
    headers: { 'content-type': MEDIA_TYPE },
    body: { errors: [{ status: String(status), title }] },
  };
}
