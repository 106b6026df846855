// The form of the answers of Twilio's REST API.

/** One page of a list. */
export function page(path: string, member: string, items: readonly unknown[]): Response {
  const uri = `/2010-04-01${path}.json`;
  return Response.json({
    [member]: items,
    first_page_uri: `${uri}?PageSize=50&Page=0`,
    next_page_uri: null,
    previous_page_uri: null,
    page: 0,
    page_size: 50,
    start: 0,
    end: Math.max(0, items.length - 1),
    uri: `${uri}?PageSize=50&Page=0`,
  });
}

/** Source: https://www.twilio.com/docs/usage/twilios-response#response-formats-exceptions */
export function failure(status: number, code: number, message: string): Response {
  return Response.json(
    { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status },
    { status },
  );
}

export function notFound(path: string): Response {
  return failure(404, 20404, `The requested resource ${path} was not found`);
}

export function notAllowed(path: string): Response {
  return failure(405, 20004, `Method not allowed on ${path}`);
}
