export type Endpoint = 'verify' | 'reset' | 'request' | 'trace' | 'update' | 'upload' | 'download';

/** What goes wrong with a request, instead of or after its usual treatment. */
export type FaultAction =
  /** An answer of another kind; nothing is applied. */
  | { kind: 'status'; status: number; headers?: Record<string, string> }
  /** The connection breaks and nothing is applied. */
  | { kind: 'reset' }
  /** Everything is applied, then the connection breaks: the answer is lost. */
  | { kind: 'loseAnswer' }
  /** Applied, and the answer breaks off in its middle. */
  | { kind: 'halfAnswer' }
  /** Everything is applied, and the answer comes this much later. */
  | { kind: 'holdAnswer'; ms: number }
  /** No answer for this long, then as usual. */
  | { kind: 'slow'; ms: number }
  /** No answer at all; the connection breaks after this long and nothing is applied. */
  | { kind: 'hang'; ms: number };

export interface Fault {
  endpoint: Endpoint;
  action: FaultAction;
  /** How often; default once. */
  times?: number;
  /** So many requests that fit pass before; default none. */
  after?: number;
  /** Only for this job. */
  job?: number;
  /** Only requests for which this holds, e.g. final reports. */
  when?: (request: FaultRequest) => boolean;
}

export interface FaultRequest {
  job: number | undefined;
  body: Buffer;
  /** A final report. */
  final: boolean;
  /** Of an upload. */
  artifactType: string | undefined;
}

export interface Faults {
  add(fault: Fault): void;
  /** The action for a request, counted down. */
  take(endpoint: Endpoint, request: FaultRequest): FaultAction | undefined;
  /** Those that did not come to pass as often as they were to: a test that waits for them tests nothing. */
  unused(): Fault[];
  /** Everything is refused until the returned function is called, as if the server were away. */
  outage(): () => void;
  readonly away: boolean;
  clear(): void;
}

export function createFaults(): Faults {
  let faults: (Fault & { left: number; passing: number })[] = [];
  let outages = 0;
  return {
    add: (fault) => void faults.push({ ...fault, left: fault.times ?? 1, passing: fault.after ?? 0 }),
    take(endpoint, request) {
      const found = faults.find(
        (fault) =>
          fault.left > 0 &&
          fault.endpoint === endpoint &&
          (fault.job === undefined || fault.job === request.job) &&
          (fault.when?.(request) ?? true),
      );
      if (found === undefined) return undefined;
      if (found.passing > 0) {
        found.passing -= 1;
        return undefined;
      }
      found.left -= 1;
      return found.action;
    },
    unused: () => faults.filter(({ left }) => left > 0),
    outage() {
      outages += 1;
      let over = false;
      return () => {
        if (!over) outages -= 1;
        over = true;
      };
    },
    get away() {
      return outages > 0;
    },
    clear() {
      faults = [];
    },
  };
}
