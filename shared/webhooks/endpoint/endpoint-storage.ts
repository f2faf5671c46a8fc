import type { Container } from '@azure/cosmos';
import { askCosmos, COSMOS_STATUS, unlessPreceded } from '../../platform/ask-cosmos.ts';
import type { EndpointHealth } from './endpoint-health.ts';

/** The health of an endpoint as it was read, with what proves at the next write that nobody changed it meanwhile. */
export interface VersionedHealth {
  /** Absent as long as nothing was ever written, as for most endpoints. */
  readonly health?: EndpointHealth;
  readonly etag?: string;
}

interface EndpointDocument extends EndpointHealth {
  readonly id: string;
  readonly subscription: string;
  readonly schemaVersion: number;
  /** Seconds until it is removed. */
  readonly ttl: number;
}

const ID = 'endpoint';
const SCHEMA_VERSION = 1;
/** What was not written for so long says nothing of an endpoint any more. */
const TTL_SECONDS = 30 * 24 * 60 * 60;

/** The Cosmos calls for the health of endpoints. All methods throw SkerryError `unavailable` when the database does not answer. */
export class EndpointStorage {
  readonly #container: Container;

  /** @param container the Cosmos container `deliveries`. */
  constructor(container: Container) {
    this.#container = container;
  }

  async read(subscription: string): Promise<VersionedHealth> {
    const { resource, etag, statusCode } = await askCosmos((abortSignal) =>
      this.#container.item(ID, subscription).read<EndpointDocument>({ abortSignal }),
    );
    return statusCode === COSMOS_STATUS.notFound || resource === undefined
      ? {}
      : { health: fromDocument(resource), etag };
  }

  /** Writes what nobody changed since it was read; undefined when somebody did. */
  async write(
    subscription: string,
    { etag }: VersionedHealth,
    health: EndpointHealth,
  ): Promise<VersionedHealth | undefined> {
    const document: EndpointDocument = {
      ...health,
      id: ID,
      subscription,
      schemaVersion: SCHEMA_VERSION,
      ttl: TTL_SECONDS,
    };
    const response = await unlessPreceded(() =>
      etag === undefined
        ? this.#container.items.create(document)
        : this.#container.item(ID, subscription).replace(document, {
            accessCondition: { type: 'IfMatch', condition: etag },
          }),
    );
    return response && { health, etag: response.etag };
  }
}

/** Leaves out what is the document's and not the endpoint's. */
function fromDocument(document: EndpointDocument): EndpointHealth {
  const { endpoint, since, failures, openings, openUntil, keepOffUntil } = document;
  const { failingSince, lastFailureAt, isReported, nextSlotAt } = document;
  return {
    endpoint,
    since,
    failures,
    openings,
    ...(openUntil !== undefined && { openUntil }),
    ...(keepOffUntil !== undefined && { keepOffUntil }),
    ...(failingSince !== undefined && { failingSince }),
    ...(lastFailureAt !== undefined && { lastFailureAt }),
    ...(isReported && { isReported }),
    ...(nextSlotAt !== undefined && { nextSlotAt }),
  };
}
