// Model → JSON. See model_json.hpp.
#include "model_json.hpp"
#include "quantity.hpp"

namespace fulmar::admin {

namespace {

using nlohmann::ordered_json;

/// Adds members, in a file only those that differ from their default.
class object_writer {
  public:
    explicit object_writer(document kind) : brief_(kind == document::file) {}

    template <typename Value>
    void always(const char* key, Value&& value) {
        out_[key] = std::forward<Value>(value);
    }
    template <typename Value>
    void unless(const char* key, const Value& value, const Value& usual) {
        if (!brief_ || value != usual) out_[key] = value;
    }
    ordered_json take() { return std::move(out_); }

  private:
    bool brief_;
    ordered_json out_ = ordered_json::object();
};

}  // namespace

ordered_json to_json(const core::listener_spec& spec) {
    return {{"transport", spec.transport}, {"address", spec.address}, {"port", spec.port}};
}

ordered_json to_json(const core::referral_spec& spec) {
    return {{"transport", spec.transport}, {"address", spec.address}, {"port", spec.port}};
}

ordered_json to_json(const core::device_spec& spec, document kind) {
    const core::device_spec usual;
    object_writer out(kind);
    out.always("name", spec.name);
    out.always("type", spec.type);
    if (spec.type == "file") out.always("path", spec.path);
    if (spec.type == "pcie") {
        out.always("address", spec.address);
        out.unless("serial", spec.serial, usual.serial);
        out.unless("drive_nsid", spec.drive_nsid, usual.drive_nsid);
        out.unless("bind", spec.bind, usual.bind);
        out.unless("detached", spec.detached, usual.detached);
    }
    if (kind != document::file)
        out.always("size", spec.size_bytes);
    else if (spec.size_bytes != 0)
        out.always("size", print_size(spec.size_bytes));
    // Said even where it is the usual one: what it is for a new device may change, and what it is
    // for this one must not.
    if (spec.type != "pcie" || kind != document::file) out.always("block_size", spec.block_bytes);
    if (spec.type == "file") {
        out.unless("direct", spec.direct, usual.direct);
        out.unless("create", spec.create, usual.create);
    }
    if (spec.type == "file" || spec.type == "pcie")
        out.unless("write_cache", std::string(word_of(spec.write_cache)),
                   std::string(word_of(usual.write_cache)));
    return out.take();
}

ordered_json to_json(const core::namespace_spec& spec, document kind) {
    const core::namespace_spec usual;
    object_writer out(kind);
    out.always("nsid", spec.nsid);
    out.always("device", spec.device);
    out.unless("uuid", spec.uuid, usual.uuid);
    out.unless("nguid", spec.nguid, usual.nguid);
    out.unless("ana_state", std::string(ana_word(spec.ana)), std::string(ana_word(usual.ana)));
    out.unless("on_loss", std::string(spec.on_loss == core::loss_policy::hold ? "hold" : "fail"),
               std::string("fail"));
    out.unless("park_ms", spec.park_ms, usual.park_ms);
    out.unless("hold_s", spec.hold_s, usual.hold_s);
    return out.take();
}

ordered_json to_json(const core::subsystem_spec& spec, document kind) {
    const core::subsystem_spec usual;
    object_writer out(kind);
    out.always("nqn", spec.nqn);
    out.unless("serial", spec.serial, usual.serial);
    out.unless("model", spec.model, usual.model);
    out.always("allow_any_host", spec.allow_any_host);
    out.unless("hosts", spec.hosts, usual.hosts);
    out.unless("listeners", spec.listeners, usual.listeners);
    out.unless("min_cntlid", spec.min_cntlid, usual.min_cntlid);
    out.unless("max_cntlid", spec.max_cntlid, usual.max_cntlid);
    out.unless("max_namespaces", spec.max_namespaces, usual.max_namespaces);
    out.unless("paused", spec.paused, usual.paused);
    ordered_json namespaces = ordered_json::array();
    for (const core::namespace_spec& ns : spec.namespaces) namespaces.push_back(to_json(ns, kind));
    out.always("namespaces", std::move(namespaces));
    return out.take();
}

}  // namespace fulmar::admin
