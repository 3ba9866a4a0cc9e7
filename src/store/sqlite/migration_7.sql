-- Stored collections. The head of a collection has the number of its last change, and what the collection holds.
CREATE TABLE heads (
    number INTEGER PRIMARY KEY,
    collection TEXT NOT NULL UNIQUE,
    seq BIGINT NOT NULL,
    purged_to BIGINT NOT NULL,
    documents BIGINT NOT NULL,
    bytes BIGINT NOT NULL
);

ALTER TABLE documents RENAME TO old_documents;
-- A document without fields was removed. Its row stays for a while, since the table is the log of changes as well. The
-- table has row ids: sorted by random ids, each insert would write a page of its own.
CREATE TABLE documents (
    collection BIGINT NOT NULL,
    id TEXT NOT NULL,
    fields TEXT,
    seq BIGINT NOT NULL,
    PRIMARY KEY (collection, id)
);
INSERT INTO heads (collection, seq, purged_to, documents, bytes)
    SELECT collection, count(*), 0, count(*), sum(octet_length(fields)) FROM old_documents GROUP BY collection;
INSERT INTO documents (collection, id, fields, seq)
    SELECT heads.number, old.id, old.fields, row_number() OVER (PARTITION BY old.collection ORDER BY old.id)
    FROM old_documents AS old JOIN heads ON heads.collection = old.collection;
DROP TABLE old_documents;
CREATE INDEX documents_by_change ON documents (collection, seq);
CREATE INDEX removed_documents ON documents (collection, seq) WHERE fields IS NULL;

-- An index without a collection was dropped, and its entries are being removed.
CREATE TABLE document_indexes (
    number INTEGER PRIMARY KEY,
    collection BIGINT,
    name TEXT NOT NULL,
    is_ready INTEGER NOT NULL,
    UNIQUE (collection, name)
);
CREATE TABLE document_keys (
    index_number BIGINT NOT NULL,
    key BLOB NOT NULL,
    id TEXT NOT NULL,
    elements BIGINT NOT NULL,
    PRIMARY KEY (index_number, key, id)
) WITHOUT ROWID;
