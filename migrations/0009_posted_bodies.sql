-- What was posted beside a signed token.
--
-- A token's claims are the payload of its delivery, and so its body. What the request's own body said is kept where it
-- is something else, for a person who asks why; nothing is ever read from it.

alter table intake.deliveries add column posted_body bytea;
alter table intake.deliveries alter column posted_body set storage external;

comment on column intake.deliveries.body is 'The body as received, its Content-Encoding undone; of a signed token its claims';
comment on column intake.deliveries.posted_body is 'What was posted beside a signed token, where it differs from the claims';
