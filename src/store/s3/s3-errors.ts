import { S3ServiceException } from '@aws-sdk/client-s3';
import { StoreError } from '../store.js';

/** @returns whether there is no such object; not so when there is no such bucket */
export function isAbsent(error: unknown): boolean {
  return error instanceof S3ServiceException && (error.name === 'NoSuchKey' || error.name === 'NotFound');
}

/** The range begins at or behind the end of the object. */
export function isBeyondEnd(error: unknown): boolean {
  return error instanceof S3ServiceException && error.name === 'InvalidRange';
}

const FULL = ['QuotaExceeded', 'EntityTooLarge', 'XMinioStorageFull', 'InsufficientStorage'];
const REFUSED = ['AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'Forbidden', 'AllAccessDisabled'];

/** Whatever the SDK threw, in words that name what to do. Errors of anything else (the source of a write) stay as they are. */
export function toStoreError(error: unknown, bucket: string): unknown {
  if (error instanceof StoreError) return error;
  const name = error instanceof Error ? error.name : '';
  if (name === 'NoSuchBucket') {
    return new StoreError(
      'STORE_UNREACHABLE',
      `The bucket ${bucket} does not exist: make it, or correct store.s3.bucket`,
      {
        cause: error,
      },
    );
  }
  if (FULL.includes(name)) {
    return new StoreError('STORE_FULL', `The bucket ${bucket} takes no more (${name}): free some, or raise its quota`, {
      cause: error,
    });
  }
  if (REFUSED.includes(name) || name === 'CredentialsProviderError') {
    return new StoreError(
      'STORE_READ_ONLY',
      `The bucket ${bucket} refuses us (${name}): check store.s3's credentials and the bucket's policy`,
      { cause: error },
    );
  }
  if (error instanceof S3ServiceException || isTransport(error)) {
    const words = error instanceof Error ? error.message || name : String(error);
    return new StoreError('STORE_UNREACHABLE', `The bucket ${bucket} cannot be used now: ${words}`, { cause: error });
  }
  return error;
}

/** What Node's sockets and the SDK's time limits throw. */
function isTransport(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return (
    /^E(CONN|HOST|NET|PIPE|TIMEDOUT|AI_)/.test(code) ||
    ['ENOTFOUND', 'TimeoutError', 'AggregateError'].includes(code || error.name)
  );
}
