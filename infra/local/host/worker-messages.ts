/** What a worker is asked to do; with `connection` comes its socket. */
export type WorkerOrder =
  | { readonly type: 'connection' }
  /** Start the listeners; `first` if the host as a whole is still starting, which a listener's fault ends. */
  | { readonly type: 'listen'; readonly first: boolean }
  | { readonly type: 'ping' }
  | { readonly type: 'drain' }
  | { readonly type: 'drain status'; readonly status: DrainStatus }
  | { readonly type: 'stop' };

/** What a worker tells its supervisor. */
export type WorkerNews =
  /** The app is loaded. A worker that answers no ping for `patience` milliseconds hangs. */
  | { readonly type: 'loaded'; readonly patience: number }
  | { readonly type: 'listening' }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'accepted' }
  | ({ readonly type: 'pong' } & Outstanding)
  | { readonly type: 'timed out' }
  /** Asks how far draining has come, after it has begun if that is asked for. */
  | { readonly type: 'ask drain status'; readonly begin: boolean };

/** What has begun and not ended. */
export interface Outstanding {
  readonly outstandingInvocations: number;
  /** Functions that wait to be tried again. */
  readonly outstandingRetries: number;
}

/** As `GET /admin/host/drain/status` answers it. */
export interface DrainStatus extends Outstanding {
  readonly state: 'Disabled' | 'InProgress' | 'Completed';
}

/**
 * Marks a message between supervisor and worker, so that both tell it from those of the app and of the supervisor's
 * own parent, which are passed on.
 */
export interface Envelope<Content extends WorkerOrder | WorkerNews> {
  readonly supervision: Content;
}

export function isEnvelope<Content extends WorkerOrder | WorkerNews>(
  message: unknown,
): message is Envelope<Content> {
  return typeof message === 'object' && message !== null && 'supervision' in message;
}
