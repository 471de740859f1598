// A small secrets engine built with OpenBao's own Go SDK, for what no plugin of the Go module proxy asks of a server: transactions over
// several keys, and lists in pages. It keeps accounts and moves amounts between them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/openbao/openbao/sdk/v2/framework"
	"github.com/openbao/openbao/sdk/v2/logical"
	"github.com/openbao/openbao/sdk/v2/plugin"
)

// Set by the linker; the two versions differ in it alone.
var version = "v0.0.0"

const prefix = "account/"

type account struct {
	Amount int `json:"amount"`
}

func main() {
	// With AutoMTLS no TLS provider is needed.
	if err := plugin.ServeMultiplex(&plugin.ServeOpts{BackendFactoryFunc: factory}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func factory(ctx context.Context, config *logical.BackendConfig) (logical.Backend, error) {
	name := map[string]*framework.FieldSchema{"name": {Type: framework.TypeString}}
	backend := &framework.Backend{
		BackendType:    logical.TypeLogical,
		RunningVersion: version,
		Paths: []*framework.Path{
			{
				Pattern: prefix + framework.GenericNameRegex("name"),
				Fields: map[string]*framework.FieldSchema{
					"name": name["name"], "amount": {Type: framework.TypeInt},
				},
				Operations: operations(map[logical.Operation]framework.OperationFunc{
					logical.ReadOperation: read, logical.UpdateOperation: write, logical.DeleteOperation: remove,
				}),
			},
			{
				Pattern: prefix + "?$",
				Fields: map[string]*framework.FieldSchema{
					"after": {Type: framework.TypeString}, "limit": {Type: framework.TypeInt},
				},
				Operations: operations(map[logical.Operation]framework.OperationFunc{logical.ListOperation: list}),
			},
			{
				Pattern: "transfer",
				Fields: map[string]*framework.FieldSchema{
					"from": {Type: framework.TypeString}, "to": {Type: framework.TypeString},
					"amount": {Type: framework.TypeInt}, "fail": {Type: framework.TypeBool},
				},
				Operations: operations(map[logical.Operation]framework.OperationFunc{logical.UpdateOperation: transfer}),
			},
			{
				Pattern:    "total",
				Operations: operations(map[logical.Operation]framework.OperationFunc{logical.ReadOperation: total}),
			},
		},
	}
	return backend, backend.Setup(ctx, config)
}

func operations(functions map[logical.Operation]framework.OperationFunc) map[logical.Operation]framework.OperationHandler {
	handlers := map[logical.Operation]framework.OperationHandler{}
	for operation, function := range functions {
		handlers[operation] = &framework.PathOperation{Callback: function}
	}
	return handlers
}

func load(ctx context.Context, storage logical.Storage, name string) (*account, error) {
	entry, err := storage.Get(ctx, prefix+name)
	if err != nil || entry == nil {
		return nil, err
	}
	found := &account{}
	return found, entry.DecodeJSON(found)
}

func store(ctx context.Context, storage logical.Storage, name string, what *account) error {
	entry, err := logical.StorageEntryJSON(prefix+name, what)
	if err != nil {
		return err
	}
	return storage.Put(ctx, entry)
}

func read(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	found, err := load(ctx, req.Storage, data.Get("name").(string))
	if err != nil || found == nil {
		return nil, err
	}
	return &logical.Response{Data: map[string]interface{}{"amount": found.Amount}}, nil
}

func write(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	return nil, store(ctx, req.Storage, data.Get("name").(string), &account{Amount: data.Get("amount").(int)})
}

func remove(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	return nil, req.Storage.Delete(ctx, prefix+data.Get("name").(string))
}

func list(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	limit := data.Get("limit").(int)
	if limit <= 0 {
		limit = -1
	}
	names, err := req.Storage.ListPage(ctx, prefix, data.Get("after").(string), limit)
	if err != nil {
		return nil, err
	}
	return logical.ListResponse(names), nil
}

// Both accounts change or none does: what was written before a failure is rolled back.
func transfer(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	storage, ok := req.Storage.(logical.TransactionalStorage)
	if !ok {
		return nil, errors.New("the storage has no transactions")
	}
	txn, err := storage.BeginTx(ctx)
	if err != nil {
		return nil, err
	}
	defer txn.Rollback(ctx) //nolint:errcheck // after a commit there is nothing to roll back
	amount := data.Get("amount").(int)
	for _, side := range []struct {
		name string
		by   int
	}{{data.Get("from").(string), -amount}, {data.Get("to").(string), amount}} {
		found, err := load(ctx, txn, side.name)
		if err != nil {
			return nil, err
		}
		if found == nil {
			return logical.ErrorResponse("there is no account %q", side.name), nil
		}
		found.Amount += side.by
		if err := store(ctx, txn, side.name, found); err != nil {
			return nil, err
		}
		// A transaction reads what it has written.
		again, err := load(ctx, txn, side.name)
		if err != nil {
			return nil, err
		}
		if again == nil || again.Amount != found.Amount {
			return nil, errors.New("a transaction does not read its own writes")
		}
	}
	if data.Get("fail").(bool) {
		return logical.ErrorResponse("failed as told, after both writes"), nil
	}
	return nil, txn.Commit(ctx)
}

// Reads everything in one read-only transaction, in which a write must fail.
func total(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	storage, ok := req.Storage.(logical.TransactionalStorage)
	if !ok {
		return nil, errors.New("the storage has no transactions")
	}
	txn, err := storage.BeginReadOnlyTx(ctx)
	if err != nil {
		return nil, err
	}
	defer txn.Rollback(ctx) //nolint:errcheck // nothing was written
	names, err := txn.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	sum := 0
	for _, name := range names {
		found, err := load(ctx, txn, name)
		if err != nil {
			return nil, err
		}
		if found != nil {
			sum += found.Amount
		}
	}
	writable := store(ctx, txn, "intruder", &account{}) == nil
	return &logical.Response{Data: map[string]interface{}{"amount": sum, "accounts": len(names), "writable": writable}}, nil
}
