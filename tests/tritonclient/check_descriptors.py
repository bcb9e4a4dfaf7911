"""Compares the descriptors of proto/inference/ with those of NVIDIA's client.

    PYTHONPATH=.runtime/python python3 tests/tritonclient/check_descriptors.py DESCRIPTORS

Every name, number and type must be the same. DESCRIPTORS is the file descriptor set that the server's reflection uses.
A field of NVIDIA's that is missing here is no difference, because a field without a value is not on the wire.
"""

import sys

from google.protobuf import descriptor_pb2, descriptor_pool
from tritonclient.grpc import model_config_pb2, service_pb2

SERVICE = "inference.GRPCInferenceService"


def load_descriptors(path: str) -> tuple:
    with open(path, "rb") as file:
        files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool, files


def signature(found) -> tuple:
    """Returns everything that the wire format and generated code depend on."""
    message = found.message_type.full_name if found.message_type else None
    enum = found.enum_type.full_name if found.enum_type else None
    oneof = found.containing_oneof.name if found.containing_oneof else None
    return (found.number, found.type, found.is_repeated, found.is_packed, message, enum, oneof)


def compare_messages(mine, theirs, differences: list) -> int:
    count = 0
    for name, one in mine.fields_by_name.items():
        other = theirs.fields_by_name.get(name)
        count += 1
        if other is None or signature(one) != signature(other):
            differences.append(f"{mine.full_name}.{name}: {signature(one)} here, {other and signature(other)} there")
    for name, one in mine.nested_types_by_name.items():
        count += compare_messages(one, theirs.nested_types_by_name[name], differences)
    return count


def main() -> None:
    pool, files = load_descriptors(sys.argv[1])
    their_files = (service_pb2.DESCRIPTOR, model_config_pb2.DESCRIPTOR)
    their_messages = {name: one for file in their_files for name, one in file.message_types_by_name.items()}
    their_enums = {name: one for file in their_files for name, one in file.enum_types_by_name.items()}
    differences: list[str] = []
    fields = 0
    for file in files.file:
        for message in file.message_type:
            mine = pool.FindMessageTypeByName(f"inference.{message.name}")
            fields += compare_messages(mine, their_messages[message.name], differences)
        for enum in file.enum_type:
            mine = pool.FindEnumTypeByName(f"inference.{enum.name}")
            mine, theirs = ({v.name: v.number for v in one.values} for one in (mine, their_enums[enum.name]))
            if mine != theirs:
                differences.append(f"{enum.name}: {mine} here, {theirs} there")
    mine = pool.FindServiceByName(SERVICE)
    theirs = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    assert theirs.full_name == SERVICE, theirs.full_name
    for method in mine.methods:
        other = theirs.methods_by_name[method.name]
        shape = [
            (one.input_type.full_name, one.output_type.full_name, one.client_streaming, one.server_streaming)
            for one in (method, other)
        ]
        if shape[0] != shape[1]:
            differences.append(f"{method.name}: {shape[0]} here, {shape[1]} there")
    assert fields > 70 and len(mine.methods) == 9, f"only {fields} fields and {len(mine.methods)} methods were compared"
    assert not differences, "\n".join(differences)
    print(f"{fields} fields and {len(mine.methods)} methods match NVIDIA's")


if __name__ == "__main__":
    main()
