/** The server's limits. Written by `make contract` from its constants. Do not edit. */

/** The most code points that normalisation composes into one: α with three marks (Unicode 15). */
export const COMPOSED = 4;
export const DEFAULT_PAGE = 50;
/** The largest number of members of a room in which every member may use `@room` and `@here`. */
export const LOUD_MEMBERS = 20;
/** Rooms into which one user can put the same other user. They do not count towards MAX_ROOMS of that user. */
export const MAX_ADDED = 100;
/** Attempts of one webhook that are stored, the last ones. */
export const MAX_ATTEMPTS_KEPT = 50;
export const MAX_BODY_BYTES = 16_384;
export const MAX_BODY_CHARACTERS = 8_000;
export const MAX_DEPTH = 32;
export const MAX_DESCRIPTION = 1_000;
/** Members of a direct room, the creator included. */
export const MAX_DIRECT = 10;
/** Direct rooms created by one user. */
export const MAX_DIRECT_MADE = 1_000;
/** Direct rooms created by one user that share the same other member. */
export const MAX_DIRECT_WITH = 100;
/** In characters. The longest emoji sequence in Unicode has about ten. */
export const MAX_EMOJI = 64;
/** Messages on a page of search results. */
export const MAX_FOUND = 50;
export const MAX_HAVE = 2_000;
/** If more users are online, `@here` mentions the whole room: an event does not list them all. */
export const MAX_HERE = 500;
export const MAX_ID = 9_007_199_254_740_991;
/** Users who are added to a room when it is created. */
export const MAX_INVITED = 50;
export const MAX_KEY = 64;
/** Combining marks on one letter of a name. Hebrew with accents and Tibetan have three. */
export const MAX_MARKS = 3;
/** Names in one message that can be mentions. */
export const MAX_MENTIONS = 50;
/** Different emoji of one user on one message. */
export const MAX_OWN_REACTIONS = 20;
export const MAX_PAGE = 200;
/** A page ends before it exceeds this, so that an answer always fits into a connection's outbox. One item may be larger. */
export const MAX_PAGE_BYTES = 262_144;
/** Characters of a request's path. Each route compares the whole path with its pattern. */
export const MAX_PATH = 2_048;
/** Pinned messages in a room. Only those visible to the user who pins another message count. */
export const MAX_PINS = 100;
/** Bytes of a URL's query; 200 ids take half of it. */
export const MAX_QUERY = 8_192;
/** Different emoji on one message. */
export const MAX_REACTIONS = 50;
/** Read positions moved by one command. */
export const MAX_READ_ROOMS = 500;
export const MAX_REASON = 200;
/** Rooms that a user has joined or created, and as many into which others have put the user. Direct rooms do not count, because others create them and no user can leave them. */
export const MAX_ROOMS = 1_000;
export const MAX_ROOM_NAME = 64;
/** Webhooks of one room. */
export const MAX_ROOM_WEBHOOKS = 10;
/** In characters, before normalisation. A longer run is not a name. */
export const MAX_RUN = 128;
/** Characters of a search. */
export const MAX_SEARCH = 500;
/** Characters of a setting's value, before it is compared with what the setting allows. */
export const MAX_SETTING = 256;
/** Webhooks of the whole site. Each has a position in every room. */
export const MAX_SITE_WEBHOOKS = 20;
export const MAX_STATUS = 100;
export const MAX_TOPIC = 250;
export const MAX_USER_NAME = 32;
/** Users whose presence one connection can watch. */
export const MAX_WATCHED = 200;
/** Webhooks of all rooms and of the site. The server looks at each of them every 15 seconds. */
export const MAX_WEBHOOKS = 1_000;
export const MAX_WEBHOOK_NAME = 64;
/** Characters of the URL of a webhook. */
export const MAX_WEBHOOK_URL = 2_048;
/** Unread mentions are counted exactly up to this number. */
export const MENTIONS_COUNTED = 100;
export const MIN_PASSWORD = 8;
/** The number of users who are named per emoji in a page of messages. */
export const REACTION_USERS_SHOWN = 20;
/** How many punctuation characters at the end of a run may belong to the name. More of them belong to the sentence. */
export const TRIMMED = 3;
