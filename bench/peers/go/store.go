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
	"strings"
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

type productEntity struct {
	PartitionKey  string
	RowKey        string
	TotalType     string `json:"total@odata.type"`
	Total         int64  `json:"total,string"`
	AvailableType string `json:"available@odata.type"`
	Available     int64  `json:"available,string"`
	VersionType   string `json:"version@odata.type"`
	Version       int64  `json:"version,string"`
	IndexedType   string `json:"indexed@odata.type"`
	Indexed       int64  `json:"indexed,string"`
}

type reservationEntity struct {
	PartitionKey   string
	RowKey         string
	CustomerID     string `json:"customerId"`
	QuantityType   string `json:"quantity@odata.type"`
	Quantity       int64  `json:"quantity,string"`
	ReservedAtType string `json:"reservedAt@odata.type"`
	ReservedAt     string `json:"reservedAt"`
	ExpiresAtType  string `json:"expiresAt@odata.type"`
	ExpiresAt      string `json:"expiresAt"`
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

const int64Type, timeType = "Edm.Int64", "Edm.DateTime"

func (p *product) entity() *productEntity {
	return &productEntity{p.id, productRow, int64Type, p.total, int64Type, p.available, int64Type, p.version, int64Type, p.indexed}
}

func (r *reservation) entity(productID string) *reservationEntity {
	return &reservationEntity{productID, rowPrefix + r.id, r.customerID, int64Type, r.quantity,
		timeType, r.reservedAt.UTC().Format(isoMillis), timeType, r.expiresAt.UTC().Format(isoMillis)}
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
	body, _ := json.Marshal(map[string]string{"TableName": tableName})
	return ignore(s.tables.change(ctx, "POST", "/Tables", body), errExists)
}

func (s *store) insert(ctx context.Context, entity any) error {
	body, err := json.Marshal(entity)
	if err != nil {
		return err
	}
	return ignore(s.tables.change(ctx, "POST", "/"+tableName, body), errExists)
}

func (s *store) insertProduct(ctx context.Context, p *product) error {
	return s.insert(ctx, p.entity())
}

// index notes that reservations of the product expire in that minute, for whoever reconciles.
func (s *store) index(ctx context.Context, id string, minute int64) error {
	return s.insert(ctx, map[string]string{"PartitionKey": duePartition, "RowKey": fmt.Sprintf("%013d-%s", minute, id)})
}

// announce tells the lease's holder that this instance waits for it.
func (s *store) announce(ctx context.Context, id string) error {
	body, _ := json.Marshal(map[string]string{"PartitionKey": id, "RowKey": waitingRow})
	return s.tables.change(ctx, "PUT", entityPath(tableName, id, waitingRow), body)
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

func writeOperation(b *bytes.Buffer, boundary, method, target, ifMatch string, entity any) error {
	b.WriteString("--" + boundary + "\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n" +
		method + " " + target + " HTTP/1.1\r\nAccept: application/json;odata=minimalmetadata\r\nDataServiceVersion: 3.0;\r\n")
	if method == "POST" {
		b.WriteString("Prefer: return-no-content\r\n")
	} else {
		b.WriteString("If-Match: " + ifMatch + "\r\n")
	}
	if entity == nil {
		b.WriteString("\r\n\r\n")
		return nil
	}
	b.WriteString("Content-Type: application/json\r\n\r\n")
	if err := json.NewEncoder(b).Encode(entity); err != nil {
		return err
	}
	b.WriteString("\r\n")
	return nil
}

// commit writes the product as it is to be, and the changes, as one transaction that is bound to the ETag read.
// It returns the new one.
func (s *store) commit(ctx context.Context, p *product, changes []change) (string, error) {
	id := newUUID()
	boundary := "changeset_" + id
	rowURL := func(row string) string { return s.tables.endpoint + entityPath(tableName, p.id, row) }
	var b bytes.Buffer
	b.Grow(1024 + 700*len(changes))
	b.WriteString("--batch_" + id + "\r\nContent-Type: multipart/mixed; boundary=" + boundary + "\r\n\r\n")
	err := writeOperation(&b, boundary, "MERGE", rowURL(productRow), p.etag, p.entity())
	for i := 0; i < len(changes) && err == nil; i++ {
		c := &changes[i]
		switch c.method {
		case "POST":
			err = writeOperation(&b, boundary, "POST", s.tables.endpoint+"/"+tableName, "", c.row.entity(p.id))
		case "MERGE":
			err = writeOperation(&b, boundary, "MERGE", rowURL(rowPrefix+c.row.id), "*", c.row.entity(p.id))
		case "DELETE":
			err = writeOperation(&b, boundary, "DELETE", rowURL(rowPrefix+c.row.id), "*", nil)
		}
	}
	if err != nil {
		return "", err
	}
	b.WriteString("--" + boundary + "--\r\n--batch_" + id + "--\r\n")
	resp, err := s.tables.do(ctx, "POST", "/$batch", "multipart/mixed; boundary=batch_"+id, b.Bytes())
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
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return "", err
	}
	answered := 0
	for _, line := range strings.Split(body.String(), "\r\n") {
		if strings.HasPrefix(line, "HTTP/1.1 ") && len(line) >= 12 {
			status, _ := strconv.Atoi(line[9:12])
			if err := statusError("a commit", status); err != nil {
				return "", err
			}
			answered++
		} else if etag == "" && len(line) > 6 && strings.EqualFold(line[:6], "etag: ") {
			etag = line[6:]
		}
	}
	if answered != operations || etag == "" {
		return "", errors.New("a commit's answer is not complete")
	}
	return etag, nil
}
