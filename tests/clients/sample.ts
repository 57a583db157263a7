// A batch from its creation to its export, with the types that docs/openapi.yaml gives.
// Nobody runs it: `make clients` has the compiler check it.

import createClient from "openapi-fetch";

import type { components, paths } from "./outdial";

type Contact = components["schemas"]["Contact"];
type CallStatus = components["schemas"]["CallStatusEnum"];

export async function callEverybody(
  baseUrl: string,
  apiKey: string,
  userId: string,
  phoneId: string,
  contacts: Contact[],
): Promise<Map<string, CallStatus>> {
  const api = createClient<paths>({ baseUrl, headers: { "x-api-key": apiKey } });

  const created = await api.POST("/api/call/createBatch", {
    body: {
      batchName: "Welcome calls",
      callingNumbers: [phoneId],
      retry: 1,
      callingHour: { start: "09:00", end: "17:00" },
    },
  });
  if (!created.data) throw new Error(created.error.errorMessage);
  const batchId: string = created.data.data;

  const added = await api.POST("/api/call/addCallsToBatch", {
    body: { batchId, call_data: contacts },
  });
  if (!added.data) throw new Error(added.error.errorMessage);
  const callIds: string[] = added.data.data.callIds;
  if (callIds.length !== contacts.length) throw new Error("Some were there already.");

  const started = await api.POST("/api/call/start-calling", { body: { batchId, userId } });
  if (!started.data) throw new Error(started.error.errorMessage);

  for (;;) {
    const stats = await api.GET("/api/call/batch-stats/{batchId}", {
      params: { path: { batchId } },
    });
    if (!stats.data) throw new Error(stats.error.errorMessage);
    const { batchStatus, statusReason } = stats.data.data;
    if (batchStatus === "completed") break;
    if (batchStatus === "paused") throw new Error(statusReason ?? "paused");
  }

  const details = await api.GET("/api/call/batch-details/{id}", {
    params: { path: { id: batchId }, query: { limit: 100, sortBy: "createdAt" } },
  });
  if (!details.data) throw new Error(details.error.errorMessage);
  const outcomes = new Map<string, CallStatus>();
  for (const call of details.data.data.data) outcomes.set(call.phoneNumber, call.callStatus);

  const exported = await api.GET("/api/call/export/csv", {
    params: { query: { batchId } },
    parseAs: "text",
  });
  const csv: string | undefined = exported.data;
  if (csv === undefined) throw new Error("no export");
  return outcomes;
}

// What the compiler has to refuse.

type Body = paths["/api/call/createBatch"]["post"]["requestBody"]["content"]["application/json"];

// @ts-expect-error callingNumbers is missing
export const withoutNumbers: Body = { batchName: "Welcome calls" };

// @ts-expect-error there is no such status
export const misspelt: CallStatus = "complete";
