// Model → JSON. See model_json.hpp.
#include "field_json.hpp"

namespace fulmar::admin {

using nlohmann::ordered_json;

ordered_json to_json(const core::listener_spec& spec) { return fields_json(spec, document::body); }
ordered_json to_json(const core::referral_spec& spec) { return fields_json(spec, document::body); }
ordered_json to_json(const core::device_spec& spec, document kind) {
    return fields_json(spec, kind);
}
ordered_json to_json(const core::namespace_spec& spec, document kind) {
    return fields_json(spec, kind);
}
ordered_json to_json(const core::ana_group_spec& spec, document kind) {
    return fields_json(spec, kind);
}
ordered_json to_json(const core::subsystem_spec& spec, document kind) {
    return fields_json(spec, kind);
}

}  // namespace fulmar::admin
