/**
 * Every entity that Skerry uses in Azure, declared once. The embedded cloud creates them from here; data-plane
 * roles in Azure may not create entities, so the code itself never does.
 */

export interface ContainerDeclaration {
  readonly id: string;
  readonly partitionKey: string;
  /** Paths that queries filter or order by; everything else is left out of the index, which is what writes pay for. */
  readonly indexedPaths: readonly string[];
  /** Seconds; -1 lets single documents carry their own `ttl`; absent means that nothing expires. */
  readonly defaultTimeToLive?: number;
}

export const COSMOS_DATABASE = 'skerry';

export const COSMOS_CONTAINERS = {
  records: {
    id: 'records',
    partitionKey: '/scope',
    indexedPaths: [
      '/type/?',
      '/revision/?',
      '/key/?',
      '/kind/?',
      '/ns/?',
      '/expiresAt/?',
      '/lease/?',
      '/milestone/?',
      '/listed/?',
    ],
  },
  leases: { id: 'leases', partitionKey: '/scope', indexedPaths: ['/expiresAt/?'] },
  deliveries: {
    id: 'deliveries',
    partitionKey: '/subscription',
    indexedPaths: ['/state/?', '/createdAt/?', '/ns/?'],
    defaultTimeToLive: -1,
  },
  feedLeases: { id: 'feed-leases', partitionKey: '/id', indexedPaths: [], defaultTimeToLive: -1 },
} as const satisfies Record<string, ContainerDeclaration>;

interface QueueDeclaration {
  readonly name: string;
  /** ISO 8601 durations, as the Service Bus API takes them. */
  readonly lockDuration: string;
  readonly duplicateDetectionWindow: string;
  readonly maxDeliveryCount: number;
  /** Whether every message names a session, whose messages are worked on one after the other. */
  readonly hasSessions: boolean;
}

export const SERVICE_BUS_QUEUES = {
  deliveries: {
    name: 'deliveries',
    lockDuration: 'PT1M',
    duplicateDetectionWindow: 'PT10M',
    // A message counts a delivery whenever its handler dies; only what never succeeds may end in the dead letters.
    maxDeliveryCount: 100,
    hasSessions: false,
  },
  /** What anybody sends to have something done (docs/commands.md); the session is what it is to be done to. */
  commands: {
    name: 'commands',
    lockDuration: 'PT1M',
    duplicateDetectionWindow: 'PT10M',
    maxDeliveryCount: 100,
    hasSessions: true,
  },
  /** One message for each attempt of a step. */
  steps: {
    name: 'steps',
    lockDuration: 'PT1M',
    duplicateDetectionWindow: 'PT10M',
    maxDeliveryCount: 100,
    hasSessions: false,
  },
} as const satisfies Record<string, QueueDeclaration>;

interface TopicDeclaration {
  readonly name: string;
  readonly duplicateDetectionWindow: string;
  /** What nobody takes from a subscription is gone after this long. */
  readonly messageTimeToLive: string;
}

/** Who wants to hear makes a subscription of their own, with a filter if they like; Skerry makes none. */
export const SERVICE_BUS_TOPICS = {
  notifications: {
    name: 'notifications',
    duplicateDetectionWindow: 'PT10M',
    messageTimeToLive: 'P7D',
  },
} as const satisfies Record<string, TopicDeclaration>;

export const BLOB_CONTAINERS = ['bundles', 'drafts'] as const;

/** Names of the settings that hold connections; triggers name them too. */
export const CONNECTIONS = {
  cosmos: 'SKERRY_COSMOS',
  serviceBus: 'SKERRY_SERVICEBUS',
  blob: 'SKERRY_BLOB',
} as const;

/** What stands behind `NAME__` where a connection is an endpoint, which the identity of the app may use; the host's triggers read the same. */
export const CONNECTION_ENDPOINTS = {
  cosmos: 'accountEndpoint',
  serviceBus: 'fullyQualifiedNamespace',
  blob: 'blobServiceUri',
} as const satisfies Record<keyof typeof CONNECTIONS, string>;

/** What stands behind `NAME__` besides, and the one kind of credential. */
export const IDENTITY_SETTINGS = {
  credential: 'credential',
  clientId: 'clientId',
  managedIdentity: 'managedidentity',
} as const;
