/** What one container has used since its start, and its memory now. */
export interface Reading {
  cpuSeconds: number;
  throttledSeconds: number;
  memoryBytes: number;
  /** Absent: the host's memory is the only limit, and it is not known. */
  memoryLimitBytes?: number;
  networkReceiveBytes: number;
  networkTransmitBytes: number;
  diskReadBytes: number;
  diskWrittenBytes: number;
}
