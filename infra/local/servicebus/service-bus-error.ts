/** A refusal in the service's own words: the AMQP condition the SDKs map to their error codes. */
export class ServiceBusError extends Error {
  override readonly name = 'ServiceBusError';
  readonly condition: string;
  /** The HTTP-like status of a `$management` or `$cbs` reply. */
  readonly statusCode: number;

  constructor(condition: string, statusCode: number, description: string) {
    super(description);
    this.condition = condition;
    this.statusCode = statusCode;
  }
}

export function messageLockLost(): ServiceBusError {
  return new ServiceBusError(
    'com.microsoft:message-lock-lost',
    410,
    'The lock supplied is invalid. Either the lock expired, or the message has already been removed from the queue.',
  );
}

export function sessionLockLost(): ServiceBusError {
  return new ServiceBusError(
    'com.microsoft:session-lock-lost',
    410,
    'The session lock has expired on the MessageSession. Accept a new MessageSession.',
  );
}

export function sessionCannotBeLocked(sessionId: string): ServiceBusError {
  return new ServiceBusError(
    'com.microsoft:session-cannot-be-locked',
    410,
    `The requested session '${sessionId}' cannot be accepted. It may be locked by another receiver.`,
  );
}

export function noSessionAvailable(): ServiceBusError {
  return new ServiceBusError(
    'com.microsoft:timeout',
    408,
    'The operation did not complete within the allotted timeout: no session became available.',
  );
}

export function messageNotFound(): ServiceBusError {
  return new ServiceBusError(
    'com.microsoft:message-not-found',
    404,
    'Failed to find one or more of the specified messages. They do not exist or are not in the state this operation needs.',
  );
}

/** The SDKs recognise this error by its wording, not by its condition. */
export function entityNotFound(path: string): ServiceBusError {
  return new ServiceBusError(
    'amqp:not-found',
    404,
    `The messaging entity '${path}' could not be found. Entities are declared in the emulator's configuration.`,
  );
}

export function unauthorized(description: string): ServiceBusError {
  return new ServiceBusError('amqp:unauthorized-access', 401, description);
}

export function messageTooLarge(size: number, limit: number): ServiceBusError {
  return new ServiceBusError(
    'amqp:link:message-size-exceeded',
    403,
    `The received message (size:${size} bytes) exceeds the limit (${limit} bytes) currently allowed on the link.`,
  );
}

/** The service says no more than this of properties that it cannot store (Azure/azure-sdk-for-net issue 15325). */
export function propertiesTooLarge(): ServiceBusError {
  return new ServiceBusError(
    'amqp:internal-error',
    500,
    'The service was unable to process the request; please retry the operation. For more information on exception ' +
      'types and proper exception handling, please refer to http://go.microsoft.com/fwlink/?LinkId=761101',
  );
}

export function invalidArgument(description: string): ServiceBusError {
  return new ServiceBusError('com.microsoft:argument-error', 400, description);
}

export function notAllowed(description: string): ServiceBusError {
  return new ServiceBusError('amqp:not-allowed', 400, description);
}

export function serverBusy(): ServiceBusError {
  return new ServiceBusError(
    'com.microsoft:server-busy',
    503,
    'The request was terminated because the entity is being throttled. Please wait 10 seconds and try again.',
  );
}

export function notImplemented(feature: string): ServiceBusError {
  return new ServiceBusError('amqp:not-implemented', 501, `The emulator does not support ${feature}.`);
}
