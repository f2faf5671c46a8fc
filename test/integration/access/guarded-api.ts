import { endpoints } from '../../../functions/http/endpoints.ts';
import type { Services } from '../../../functions/services.ts';
import { ACCESS_SCOPE, roleKey, tokenKey } from '../../../shared/access/access-scope.ts';
import { digestOfToken, newTokenText, tokenIdOf } from '../../../shared/access/tokens/token.ts';
import { type AccessControl, type Caller, createRouteHandlers } from '../../../shared/platform/http/index.ts';
import { router, startApi } from '../api-fixture.ts';
import { CUSTOM_ROLES, ROLES } from './role-model.ts';

/** Of an installation's first days. */
export const BOOTSTRAP_TOKEN = 'the-first-token-of-this-installation';

/** Settings by which callers have to say who they are. */
export const GUARDED = {
  SKERRY_AUTH: 'on',
  SKERRY_BOOTSTRAP_TOKEN_SHA256: digestOfToken(BOOTSTRAP_TOKEN).toString('hex'),
};

export interface GuardedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Whether the request came as far as its handler's first use of what is kept. */
  readonly isLetIn: boolean;
}

export interface GuardedRequest {
  readonly method: string;
  /** From the root on. */
  readonly path: string;
  readonly body?: unknown;
  readonly authorization?: string | undefined;
}

class LetIn extends Error {}

/** The API without a host as it is outside of laptops, with a token for each role. */
export async function startGuardedApi(legacyAccess: 'off' | 'open' = 'open') {
  const { cosmos, settings, services, stop } = await startApi(
    {},
    { ...GUARDED, SKERRY_LEGACY_ACCESS: legacyAccess },
  );
  let stopsAtHandler = false;
  let isLetIn = false;
  const watched = new Proxy(services, {
    get(target, name: keyof Services) {
      isLetIn = true;
      if (stopsAtHandler) throw new LetIn();
      return target[name];
    },
  });
  const { random } = services;
  let recorder: Caller | undefined;
  const access: AccessControl = {
    isOffered: (wanted, credentials) => services.access.isOffered(wanted, credentials),
    admit: async (wanted, credentials) => recorder ?? (await services.access.admit(wanted, credentials)),
  };
  const find = router(createRouteHandlers(endpoints, { services: watched, access, settings, random }));
  const send = async ({ method, path, body, authorization }: GuardedRequest): Promise<GuardedAnswer> => {
    const url = new URL(`http://skerry.test${path}`);
    const request = new Request(url, {
      method,
      headers: {
        accept: 'application/json',
        'content-type': 'application/json',
        'x-request-id': 'the-same-for-all',
        ...(authorization !== undefined && { authorization }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    isLetIn = false;
    const answer = await find(url.pathname).handle(request, { traceparent: undefined, logError: () => {} });
    const text = typeof answer.body === 'string' ? answer.body : '';
    return { status: answer.status, headers: answer.headers ?? {}, body: text, isLetIn };
  };
  const ask = async (request: GuardedRequest) => {
    stopsAtHandler = true;
    try {
      return await send(request);
    } finally {
      stopsAtHandler = false;
    }
  };
  const { authorizations, putRoles } = rolesFor(services);
  await putRoles();
  return {
    cosmos,
    services,
    /** Of each role of the model. */
    authorizations,
    send,
    /** Asks whether a request is let in, without doing what it asks for. */
    ask,
    /** What a request asks for, each as `VERB KEYS`, of a caller who may do everything. */
    async asksOf(request: GuardedRequest): Promise<readonly string[]> {
      const asked = new Set<string>();
      recorder = {
        maker: { actor: 'test' },
        may(verb, _ns, keys) {
          asked.add(`${verb} ${typeof keys === 'string' ? keys : JSON.stringify(keys)}`);
          return true;
        },
      };
      try {
        await ask(request);
      } finally {
        recorder = undefined;
      }
      return [...asked].sort();
    },
    stop,
  };
}

export type GuardedApi = Awaited<ReturnType<typeof startGuardedApi>>;

/** A token for every role of the model, and those of its roles that are not built in. */
function rolesFor({ records }: Services) {
  const tokens = Object.keys(ROLES).map((role) => ({ role, text: newTokenText() }));
  const custom = CUSTOM_ROLES.map((name) => ({
    key: roleKey(name),
    value: { allow: (ROLES[name] ?? []).map(({ ns, ...rule }) => ({ ...rule, ns: [ns ?? '*'] })) },
  }));
  const issued = tokens.map(({ role, text }) => {
    const digest = digestOfToken(text);
    const value = {
      name: role,
      roles: [role],
      ns: ['*'],
      sha256: digest.toString('hex'),
      createdBy: 'token:bootstrap',
    };
    return { key: tokenKey(tokenIdOf(digest)), value };
  });
  return {
    authorizations: new Map(tokens.map(({ role, text }) => [role, `Bearer ${text}`])),
    async putRoles() {
      for (const { key, value } of [...custom, ...issued]) {
        await records.commit(ACCESS_SCOPE, {
          key,
          actor: 'test',
          decide: () => ({ type: 'put', value }),
        });
      }
    },
  };
}
