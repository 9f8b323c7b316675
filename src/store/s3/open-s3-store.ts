import { readFileSync } from 'node:fs';
import { S3Client } from '@aws-sdk/client-s3';
import type { Config } from '../../config/schema.js';
import { StoreError, type Store } from '../store.js';
import { createS3Store } from './s3-store.js';

type S3Settings = Extract<Config['store'], { s3: unknown }>['s3'];

const CONNECT_MS = 5_000;
/** Without a byte for so long a request is given up, and tried again. */
const SILENCE_MS = 30_000;

/**
 * @param settings without an access key the SDK looks where it always does: environment, profile, instance or pod role
 * @throws StoreError when the secret's file cannot be read
 */
export function openS3Store(settings: S3Settings): Store {
  const { endpoint, region, bucket, prefix } = settings;
  const client = new S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...credentialsOf(settings),
    // Older servers of the protocol do not know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: SILENCE_MS },
  });
  return createS3Store({ client, bucket, prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/` });
}

function credentialsOf({ accessKeyId, secretAccessKeyFile }: S3Settings) {
  if (accessKeyId === undefined || secretAccessKeyFile === undefined) return {};
  try {
    return { credentials: { accessKeyId, secretAccessKey: readFileSync(secretAccessKeyFile, 'utf8').trim() } };
  } catch (cause) {
    throw new StoreError('STORE_UNREACHABLE', `store.s3.secretAccessKeyFile ${secretAccessKeyFile} cannot be read`, {
      cause,
    });
  }
}
