def test_smoke(admin_api, anonymous, expired_api, owner_api, customer):
    assert anonymous.get("/me").status_code == 401
    assert expired_api.get("/me").status_code == 401
    print(admin_api.get("/me").json())
    print(owner_api.get("/me").json())
    for p in (
        "/customers",
        "/users",
        "/tokens",
        "/clients",
        "/ssh-keys",
        "/jobs",
        "/audit",
        f"/customers/{customer.pk}/members",
    ):
        for api in (admin_api, owner_api):
            r = api.get(p)
            print(p, r.status_code, r.content[:300])
    r = owner_api.post(
        "/ssh-keys",
        {
            "name": "a",
            "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6KBBuN2OZkU8eC5RFw0lgEkB0BQzHGyCkCHgfJ0qbv me",
        },
    )
    print(r.status_code, r.content)
    r = owner_api.post(f"/customers/{customer.pk}/members", {"email": "X@y.com", "role": "viewer"})
    print(r.status_code, r.content)
    r = admin_api.post("/customers", {"name": "N", "external_id": "1"})
    print(r.status_code, r.content)
    r = admin_api.patch("/customers/" + r.json()["id"], {"quota": {"guests": 3}})
    print(r.status_code, r.content)
    r = admin_api.get("/nothing")
    print(r.status_code, r.content)
