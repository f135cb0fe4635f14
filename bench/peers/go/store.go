package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	productRow   = "product"
	waitingRow   = "waiting"
	rowPrefix    = "r-"
	duePartition = "!due"
	isoMillis    = "2006-01-02T15:04:05.000Z"

	// Of the reservations only those are read that expire so soon.
	horizonTime = time.Minute
	// A transaction has 100 operations; one is the product's own row.
	maxChanges = 99
)

// store keeps a product and its reservations as the rows of one partition.
type store struct {
	tables   *tableClient
	lifetime time.Duration
}

// rowEntity is either of them, as it is read.
type rowEntity struct {
	ETag       string `json:"odata.etag"`
	RowKey     string
	Total      int64     `json:"total,string"`
	Available  int64     `json:"available,string"`
	Version    int64     `json:"version,string"`
	Indexed    int64     `json:"indexed,string"`
	CustomerID string    `json:"customerId"`
	Quantity   int64     `json:"quantity,string"`
	ReservedAt time.Time `json:"reservedAt"`
	ExpiresAt  time.Time `json:"expiresAt"`
}

// Rows are written by hand: encoding/json would be a large part of what a commit costs. Ids of
// products and reservations need no escaping.

func appendInt64(b []byte, name string, value int64) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `@odata.type":"Edm.Int64","`...)
	b = append(b, name...)
	b = append(b, `":"`...)
	b = strconv.AppendInt(b, value, 10)
	return append(b, '"')
}

func appendTime(b []byte, name string, value time.Time) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `@odata.type":"Edm.DateTime","`...)
	b = append(b, name...)
	b = append(b, `":"`...)
	b = value.UTC().AppendFormat(b, isoMillis)
	return append(b, '"')
}

func appendKeys(b []byte, partition, row, rest string) []byte {
	b = append(b, `{"PartitionKey":"`...)
	b = append(b, partition...)
	b = append(b, `","RowKey":"`...)
	b = append(b, row...)
	b = append(b, rest...)
	return append(b, '"')
}

func appendProduct(b []byte, p *product) []byte {
	b = appendKeys(b, p.id, productRow, "")
	b = appendInt64(b, "total", p.total)
	b = appendInt64(b, "available", p.available)
	b = appendInt64(b, "version", p.version)
	b = appendInt64(b, "indexed", p.indexed)
	return append(b, '}')
}

func appendReservation(b []byte, productID string, r *reservation) []byte {
	customer, _ := json.Marshal(r.customerID)
	b = appendKeys(b, productID, rowPrefix, r.id)
	b = append(b, `,"customerId":`...)
	b = append(b, customer...)
	b = appendInt64(b, "quantity", r.quantity)
	b = appendTime(b, "reservedAt", r.reservedAt)
	b = appendTime(b, "expiresAt", r.expiresAt)
	return append(b, '}')
}

func (s *store) newReservation(customer string, quantity int64, now time.Time) *reservation {
	expires := now.Add(s.lifetime)
	return &reservation{newReservationID(expires), customer, quantity, now, expires}
}

// ignore drops an error that is as good as success.
func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

func (s *store) createTable(ctx context.Context) error {
	return ignore(s.tables.change(ctx, "POST", "/Tables", []byte(`{"TableName":"`+tableName+`"}`)), errExists)
}

func (s *store) insert(ctx context.Context, row []byte) error {
	return ignore(s.tables.change(ctx, "POST", "/"+tableName, row), errExists)
}

func (s *store) insertProduct(ctx context.Context, p *product) error {
	return s.insert(ctx, appendProduct(nil, p))
}

// index notes that reservations of the product expire in that minute, for whoever reconciles.
func (s *store) index(ctx context.Context, id string, minute int64) error {
	return s.insert(ctx, append(appendKeys(nil, duePartition, fmt.Sprintf("%013d-", minute), id), '}'))
}

// announce tells the lease's holder that this instance waits for it.
func (s *store) announce(ctx context.Context, id string) error {
	row := append(appendKeys(nil, id, waitingRow, ""), '}')
	return s.tables.change(ctx, "PUT", entityPath(tableName, id, waitingRow), row)
}

// announced is when somebody has done so last.
func (s *store) announced(ctx context.Context, id string) (time.Time, error) {
	var row struct{ Timestamp time.Time }
	resp, err := s.tables.do(ctx, "GET", entityPath(tableName, id, waitingRow), "", nil)
	if err != nil {
		return time.Time{}, err
	}
	defer drain(resp)
	if err := statusError("reading who waits", resp.StatusCode); err != nil {
		return time.Time{}, ignore(err, errNotFound)
	}
	err = json.NewDecoder(resp.Body).Decode(&row)
	return row.Timestamp, err
}

func (s *store) page(ctx context.Context, filter, next string) (rows []rowEntity, more string, err error) {
	resp, err := s.tables.do(ctx, "GET", "/"+tableName+"()?$filter="+url.QueryEscape(filter)+next, "", nil)
	if err != nil {
		return nil, "", err
	}
	defer drain(resp)
	if err := statusError("a query", resp.StatusCode); err != nil {
		return nil, "", err
	}
	var body struct{ Value []rowEntity }
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		return nil, "", err
	}
	if partition := resp.Header.Get("x-ms-continuation-NextPartitionKey"); partition != "" {
		more = "&NextPartitionKey=" + partition + "&NextRowKey=" + resp.Header.Get("x-ms-continuation-NextRowKey")
	}
	return body.Value, more, nil
}

// query reads the product's row and those of its reservations that the condition lets in.
func (s *store) query(ctx context.Context, id, condition string) (*product, []*reservation, error) {
	filter := "PartitionKey eq " + literal(id) + " and RowKey ge '" + productRow + "' and " + condition
	var p *product
	var found []*reservation
	for next := ""; ; {
		rows, more, err := s.page(ctx, filter, next)
		if err != nil {
			return nil, nil, err
		}
		for i := range rows {
			e := &rows[i]
			if e.RowKey == productRow {
				p = &product{id, e.Total, e.Available, e.Version, e.Indexed, e.ETag}
			} else {
				found = append(found, &reservation{e.RowKey[len(rowPrefix):], e.CustomerID, e.Quantity, e.ReservedAt, e.ExpiresAt})
			}
		}
		if more == "" {
			break
		}
		next = more
	}
	if p == nil {
		return nil, nil, errNotFound
	}
	return p, found, nil
}

const allReservations = "RowKey lt '" + "r." + "'"

func (s *store) readAll(ctx context.Context, id string) (*product, []*reservation, error) {
	return s.query(ctx, id, allReservations)
}

func (s *store) readCustomer(ctx context.Context, id, customer string) ([]*reservation, error) {
	_, rows, err := s.query(ctx, id, allReservations+" and (RowKey eq '"+productRow+"' or customerId eq "+literal(customer)+")")
	return rows, err
}

// read reads what is needed to reserve: the product, and what expires soon or has expired.
func (s *store) read(ctx context.Context, id string, now time.Time) (*cachedProduct, error) {
	horizon := now.Add(horizonTime)
	p, rows, err := s.query(ctx, id, "RowKey lt '"+rowPrefix+firstReservationID(horizon)+"'")
	if err != nil {
		return nil, err
	}
	c := &cachedProduct{product: *p, horizon: horizon}
	for _, r := range rows {
		c.add(r)
	}
	c.expire(now)
	return c, nil
}

// change is one row's part of a commit.
type change struct {
	method string // POST, MERGE or DELETE
	row    *reservation
}

func appendOperation(b []byte, boundary, method, ifMatch string, target ...string) []byte {
	b = append(b, "--"...)
	b = append(b, boundary...)
	b = append(b, "\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"...)
	b = append(b, method...)
	b = append(b, ' ')
	for _, part := range target {
		b = append(b, part...)
	}
	b = append(b, " HTTP/1.1\r\nAccept: application/json;odata=minimalmetadata\r\nDataServiceVersion: 3.0;\r\n"...)
	if method == "POST" {
		b = append(b, "Prefer: return-no-content\r\n"...)
	} else {
		b = append(b, "If-Match: "...)
		b = append(b, ifMatch...)
		b = append(b, "\r\n"...)
	}
	if method == "DELETE" {
		return append(b, "\r\n\r\n"...)
	}
	return append(b, "Content-Type: application/json\r\n\r\n"...)
}

func (s *store) appendChange(b []byte, boundary, productID string, c *change) []byte {
	if c.method == "POST" {
		b = appendOperation(b, boundary, c.method, "", s.tables.endpoint, "/"+tableName)
	} else {
		b = appendOperation(b, boundary, c.method, "*", s.tables.endpoint, entityPath(tableName, productID, rowPrefix+c.row.id))
	}
	if c.method == "DELETE" {
		return b
	}
	return append(appendReservation(b, productID, c.row), "\r\n"...)
}

// commit writes the product as it is to be, and the changes, as one transaction that is bound to
// the ETag read. It returns the new one.
func (s *store) commit(ctx context.Context, p *product, changes []change) (string, error) {
	id := newUUID()
	boundary := "changeset_" + id
	b := make([]byte, 0, 1024+768*len(changes))
	b = append(b, "--batch_"+id+"\r\nContent-Type: multipart/mixed; boundary="+boundary+"\r\n\r\n"...)
	b = appendOperation(b, boundary, "MERGE", p.etag, s.tables.endpoint, entityPath(tableName, p.id, productRow))
	b = append(appendProduct(b, p), "\r\n"...)
	for i := range changes {
		b = s.appendChange(b, boundary, p.id, &changes[i])
	}
	b = append(b, "--"+boundary+"--\r\n--batch_"+id+"--\r\n"...)
	resp, err := s.tables.do(ctx, "POST", "/$batch", "multipart/mixed; boundary=batch_"+id, b)
	if err != nil {
		return "", err
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusAccepted {
		return "", statusError("a commit", resp.StatusCode)
	}
	return readCommit(resp, len(changes)+1)
}

// readCommit returns the ETag of the first operation, which is the product's.
func readCommit(resp *http.Response, operations int) (etag string, err error) {
	var body bytes.Buffer
	if resp.ContentLength > 0 {
		body.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return "", err
	}
	answered := 0
	for rest := body.Bytes(); len(rest) > 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		if len(line) >= 12 && bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
			status, _ := strconv.Atoi(string(line[9:12]))
			if err := statusError("a commit", status); err != nil {
				return "", err
			}
			answered++
		} else if etag == "" && len(line) > 6 && bytes.EqualFold(line[:6], []byte("etag: ")) {
			etag = string(line[6:])
		}
	}
	if answered != operations || etag == "" {
		return "", errors.New("a commit's answer is not complete")
	}
	return etag, nil
}
